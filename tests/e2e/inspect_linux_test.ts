/** `flock inspect` on a real node: well, and with its agent, its BIRD or parts of its kernel gone. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { record, records } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { createPod, startCluster } from "./_cluster.ts";
import { addSandbox, PLUGIN } from "./_sandbox.ts";

const COMMANDS = [
  ...["summary", "pods", "pod default/web", "ipam", "routes", "bgp", "anycast", "policy", "drift"],
  "allowed default/web default/other:80",
];
const ANYCAST = "198.51.100.77";

interface Look {
  readonly code: number;
  readonly screen: string;
}

async function inspect(node: LabNode, line: string): Promise<Look> {
  const { code, stdout, stderr } = await node.exec([PLUGIN, "inspect", ...line.split(" ")]);
  return { code, screen: stdout + stderr };
}

/** Waits until a look ends so and shows all of the words. @returns what it showed */
async function untilSeen(
  node: LabNode,
  line: string,
  expected: { code: number; words: readonly string[] },
): Promise<string> {
  return await until(`inspect ${line} ends with ${expected.code} and says ${expected.words.join(", ")}`, async () => {
    const { code, screen } = await inspect(node, line);
    return code === expected.code && expected.words.every((word) => screen.includes(word)) && screen;
  });
}

Deno.test("inspect on a real node says what should be, what is, and what is different", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const uid = await createPod(lab, { name: "web", annotations: {}, nodeName: node.name });
  const web = await addSandbox(node, { pod: { name: "web", uid } });
  const otherUid = await createPod(lab, { name: "other", annotations: {}, nodeName: node.name });
  await addSandbox(node, { pod: { name: "other", uid: otherUid } });
  await t.step("all commands find nothing wrong with a node that is well, in every form", async () => {
    await untilSeen(node, "summary", { code: 0, words: ["node-a: all is well", "2 of 2", "as it should be"] });
    for (const line of COMMANDS) {
      const { code, screen } = await inspect(node, line);
      assertEquals([line, code], [line, 0], screen);
    }
    assertStringIncludes((await inspect(node, "pod default/web")).screen, "told to 192.0.2.1");
    const document = record(JSON.parse((await inspect(node, "pods -o json")).screen));
    assertEquals(records(document["pods"]).map(({ name }) => name), ["other", "web"]);
    assertStringIncludes((await inspect(node, "ipam -o yaml")).screen, `address: "${web.address(4)}"`);
  });
  await t.step("what it does not know is a wrong command line, or nothing to look at", async () => {
    assertEquals((await inspect(node, "nonsense")).code, 2);
    assertEquals((await inspect(node, "pod default/nobody")).code, 2);
  });
  await t.step("a pod that claims an anycast address and is not Ready is named", async () => {
    const annotations = { "flock.fritzlab.net/anycast": ANYCAST };
    const pod = { name: "late", uid: await createPod(lab, { name: "late", annotations, nodeName: node.name }) };
    const late = await addSandbox(node, { pod });
    await untilSeen(node, "summary", { code: 1, words: [`anycast ${ANYCAST}`, "default/late notReady"] });
    await late.remove();
  });
  await t.step("with BIRD dead", async () => {
    const { stdout } = await node.exec(["birdc", "-s", "/run/flock/bird.ctl", "down"]);
    assertStringIncludes(stdout, "Shutdown");
    await untilSeen(node, "summary", { code: 1, words: ["BIRD: should answer", "no BIRD"] });
    await node.startBird();
    await untilSeen(node, "summary", { code: 0, words: ["all is well"] });
  });
  await t.step(
    "with the agent dead, and a route, a table and elements of a set gone that it would put back",
    async () => {
      await node.stopAgent("SIGKILL");
      const words = ["agent: should answer", "from the files that it has left", "2 of 2"];
      const screen = await untilSeen(node, "summary", { code: 1, words });
      assertStringIncludes(screen, "as it should be");
      await node.output(["ip", "route", "delete", web.address(4)]);
      await node.output(["nft", "delete", "table", "arp", "flock"]);
      await untilSeen(node, "summary", {
        code: 1,
        words: [`host route ${web.address(4)}`, "nft table arp flock", "when the agent runs again"],
      });
      await untilSeen(node, "pod default/web", { code: 1, words: [`host route ${web.address(4)}`] });
      await node.output(["nft", "flush", "set", "inet", "flock", "own4"]);
      await untilSeen(node, "drift", { code: 1, words: ["nft set inet flock own4", web.hostLink] });
    },
  );
  await t.step("what the agent put back is told, and is no fault", async () => {
    await node.startAgent();
    await untilSeen(node, "summary", { code: 0, words: ["all is well"] });
    await untilSeen(node, "drift", { code: 0, words: [`host route ${web.address(4)}`] });
  });
});
