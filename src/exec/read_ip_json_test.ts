import { assertEquals, assertRejects } from "@std/assert";
import type { CommandResult } from "./command_runner.ts";
import { readIpJson } from "./read_ip_json.ts";

function scripted(...results: Partial<CommandResult>[]): { run(): Promise<CommandResult>; left(): number } {
  return {
    run: () => Promise.resolve({ code: 0, stdout: "", stderr: "", ...results.shift() }),
    left: () => results.length,
  };
}

const ARGV = ["/usr/sbin/ip", "-j", "link"] as const;
const TORN = { stdout: '[{"ifname":"a"}]', stderr: "Dump was interrupted and may be inconsistent.\n" };

Deno.test("readIpJson() repeats a listing that was interrupted (T-REL-33)", async () => {
  const runner = scripted(TORN, { stdout: '[{"ifname":"a"},{"ifname":"b"}]' });
  assertEquals(await readIpJson(runner, ARGV), [{ ifname: "a" }, { ifname: "b" }]);
});

Deno.test("readIpJson() gives up when every listing is interrupted", async () => {
  await assertRejects(() => readIpJson(scripted(...Array(9).fill(TORN)), ARGV), Error, "interrupted 5 times");
});

Deno.test("readIpJson() tells what is missing from what failed", async () => {
  const missing = { code: 1, stderr: 'Device "x" does not exist.\n' };
  assertEquals(await readIpJson(scripted(missing), ARGV), undefined);
  await assertRejects(
    () => readIpJson(scripted({ code: 2, stderr: "RTNETLINK answers: Invalid argument" }), ARGV),
    Error,
    "Invalid",
  );
});

Deno.test("readIpJson() reads no output as an empty list, and nothing else than a list", async () => {
  assertEquals(await readIpJson(scripted({ stdout: "" }), ARGV), []);
  await assertRejects(() => readIpJson(scripted({ stdout: '{"a":1}' }), ARGV), Error, "no list");
});
