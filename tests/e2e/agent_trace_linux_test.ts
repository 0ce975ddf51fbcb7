/** What a working agent asks of the kernel, from its first instruction. Needs strace. */
import { assert, assertEquals } from "@std/assert";
import { STATE_FILE } from "../../src/paths/paths.ts";
import { callsIn, TRACE_FILES, underTmp } from "../lab/file_trace.ts";
import { createLab } from "../lab/lab.ts";
import { configOf } from "./_cluster.ts";
import { addSandbox } from "./_sandbox.ts";

/** The executable's own files lie where the checkout does. */
const DIST = new URL("../../dist/", import.meta.url).pathname;

Deno.test("an agent that serves, and the tools that it runs, open, make and remove nothing under /tmp", async () => {
  await using lab = await createLab({ nodes: 1, api: "embedded" });
  const node = lab.node("node-a");
  await lab.api.apply(configOf(node));
  await node.startBird();
  await node.startAgent({ through: [...TRACE_FILES, "/run/trace"] });
  const pod = await addSandbox(node);
  await pod.remove();
  const calls = callsIn(await node.read("/run/trace"));
  assert(calls.some((call) => call.includes(`"${STATE_FILE}`)), "the trace is not of an agent that serves");
  assertEquals(underTmp(calls, DIST), []);
});
