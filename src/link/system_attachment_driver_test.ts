import { assertEquals, assertRejects } from "@std/assert";
import type { CommandRunner } from "../exec/command_runner.ts";
import { parseAddress } from "../ip/address.ts";
import { AttachFailed, type Attachment, type AttachmentDriver } from "./attachment_driver.ts";
import { createAttachmentDriver } from "./system_attachment_driver.ts";

const POD: Attachment = {
  containerId: "c1",
  ifname: "eth0",
  netns: "/run/netns/c1",
  hostLink: "flock0a1b2c3d",
  podMac: "02:11:22:33:44:55",
  mtu: 9000,
  addresses: ["203.0.113.7"].flatMap((text) => parseAddress(text) ?? []),
};

/** A driver over an ip that answers the node's mark as told, in turn, and takes every other line. */
function driverWith(...marks: (string | Error)[]): { driver: AttachmentDriver; tries(): number } {
  let tries = 0;
  const send = (lines: readonly string[]): Promise<string> => {
    if (!lines.some((line) => line.includes("altname"))) return Promise.resolve("");
    const answer = marks[tries++] ?? "";
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const runner: CommandRunner = {
    run: () => Promise.resolve({ code: 0, stdout: "", stderr: "" }),
    converse: () => ({ send, close: () => Promise.resolve() }),
  };
  const sysctls = { read: () => undefined, write: () => {} };
  return {
    driver: createAttachmentDriver({ runner, ip: "/ip", sysctls, nodePid: 1, netnsAt: () => undefined }),
    tries: () => tries,
  };
}

Deno.test("attach() marks the node once, and a mark that is there is fine", async () => {
  const { driver, tries } = driverWith("RTNETLINK answers: File exists\nCommand failed -:1\n");
  await driver.attach(POD);
  await driver.attach(POD);
  assertEquals(tries(), 1);
});

Deno.test("attach() fails alone when the node's mark fails: the next tries again", async () => {
  const { driver, tries } = driverWith(new Error("Cannot talk to ip: it ended"), "Operation not permitted\n");
  for (let round = 0; round < 2; round++) {
    const error = await assertRejects(() => driver.attach(POD), AttachFailed, "could not be marked");
    assertEquals(error.fault, "failed");
  }
  await driver.attach(POD);
  assertEquals(tries(), 3);
});
