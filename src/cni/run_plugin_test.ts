import { assertEquals, assertMatch, assertNotMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { parseTombstone, renderTombstone } from "../rpc/tombstone.ts";
import { FakeProcess, type FakeWorld } from "./_fake_process.ts";
import { type RunOptions, runPlugin, type WithoutAgent } from "./run_plugin.ts";
import { checkRequest, leaveNote } from "./without_agent.ts";

const CONFIG = JSON.stringify({ cniVersion: "1.1.0", name: "flock", type: "flock" });
const ENVIRONMENT = { CNI_CONTAINERID: "abc", CNI_NETNS: "/run/netns/a", CNI_IFNAME: "eth0", CNI_PATH: "/opt/cni/bin" };
const VERBS = ["ADD", "DEL", "CHECK", "GC", "STATUS"];

interface Outcome {
  readonly code: number;
  /** The one document on standard output; undefined when that stayed empty. */
  readonly document: Record<string, unknown> | undefined;
  readonly process: FakeProcess;
}

async function call(command: string, world: FakeWorld = {}): Promise<Outcome> {
  const process = new FakeProcess({
    stdin: configOf(command),
    ...world,
    env: { CNI_COMMAND: command, ...(world.env ?? ENVIRONMENT) },
  });
  const code = await runPlugin(process, optionsOf(process));
  return { code, document: process.stdout === "" ? undefined : JSON.parse(process.stdout), process };
}

function optionsOf(process: FakeProcess): RunOptions {
  return {
    loadWithoutAgent(): Promise<WithoutAgent> {
      process.done.push("load the rest");
      return Promise.resolve({ checkRequest, leaveNote: (request) => leaveNote(request, process.leaveTombstone) });
    },
  };
}

function configOf(command: string): string {
  const config = JSON.parse(CONFIG);
  if (command === "CHECK") config.prevResult = { ips: [] };
  if (command === "GC") config["cni.dev/valid-attachments"] = [];
  return JSON.stringify(config);
}

Deno.test("runPlugin() connects, gives everything up, and only then reads its input", async () => {
  for (const verb of ["ADD", "CHECK", "GC", "STATUS"]) {
    const { process } = await call(verb, { agents: ['{"ok":true,"result":{}}'] });
    assertEquals(process.done, ["connect", "keep nothing", "read stdin"], verb);
  }
});

Deno.test("runPlugin() prints the agent's result for ADD and nothing for the others", async () => {
  for (const verb of VERBS) {
    const { code, document, process } = await call(verb, { agents: ['{"ok":true,"result":{"cniVersion":"1.1.0"}}'] });
    assertEquals([code, document], [0, verb === "ADD" ? { cniVersion: "1.1.0" } : undefined], verb);
    assertEquals(process.requests.length, 1);
  }
});

Deno.test("runPlugin() passes on what the runtime gave", async () => {
  const { process } = await call("ADD", { agents: ['{"ok":true,"result":{}}'] });
  const [config, requestId] = [JSON.parse(CONFIG), "0123456789ab"];
  const request = { verb: "ADD", startedAt: 1_700_000_000_000, requestId, environment: ENVIRONMENT, config };
  assertEquals(process.requests, [request]);
});

Deno.test("runPlugin() prints the agent's error in the version that was asked for", async () => {
  const stdin = JSON.stringify({ cniVersion: "0.4.0", name: "flock", type: "flock" });
  const { code, document } = await call("ADD", {
    stdin,
    agents: ['{"ok":false,"code":11,"msg":"pool full","details":"d"}'],
  });
  assertEquals([code, document], [1, {
    cniVersion: "0.4.0",
    code: 11,
    msg: "pool full",
    details: "d; request 0123456789ab",
  }]);
});

Deno.test("runPlugin() names the request in its own errors too, but for STATUS, whose words kubelet keeps in the Node", async () => {
  for (const verb of ["ADD", "CHECK", "GC", "STATUS"]) {
    const { document, process } = await call(verb, { agents: ["hangs up"] });
    const named = verb !== "STATUS";
    assertEquals(document?.["details"], named ? "request 0123456789ab" : "", verb);
    assertEquals(process.requests.map((request) => Object.hasOwn(Object(request), "requestId")), [named]);
  }
});

Deno.test("runPlugin() names each missing variable", async () => {
  const required: Record<string, string[]> = {
    ADD: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
    CHECK: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
    DEL: ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"],
    GC: ["CNI_PATH"],
    STATUS: ["CNI_PATH"],
  };
  for (const verb of VERBS) {
    for (const name of required[verb] ?? []) {
      const env = Object.fromEntries(Object.entries(ENVIRONMENT).filter(([key]) => key !== name));
      const { code, document } = await call(verb, { env, agents: ['{"ok":true,"result":{}}'] });
      assertEquals([code, document?.["code"]], [1, 4], `${verb} ${name}`);
      assertStringIncludes(String(document?.["msg"]), name);
    }
  }
});

Deno.test("runPlugin() names all missing variables at once", async () => {
  const { document } = await call("ADD", { env: { CNI_CONTAINERID: "abc" } });
  assertEquals(document?.["msg"], "required env variables [CNI_NETNS,CNI_IFNAME,CNI_PATH] missing");
});

Deno.test("runPlugin() refuses other commands without connecting", async () => {
  for (const command of ["FOO", "", "add"]) {
    const { code, document, process } = await call(command);
    assertEquals([code, document?.["code"], process.done], [1, 4, []], command);
  }
});

Deno.test("runPlugin() refuses input that is no configuration", async () => {
  const inputs: [string | Error, number][] = [
    ["no json", 6],
    ["", 6],
    [`{"a":"${"x".repeat(300_000)}"}`, 6],
    ["\ud800", 6],
    [new Error("EBADF"), 5],
  ];
  for (const [stdin, expected] of inputs) {
    const { code, document, process } = await call("ADD", { stdin, agents: ['{"ok":true,"result":{}}'] });
    assertEquals([code, document?.["code"], process.requests], [1, expected, []], String(stdin).slice(0, 40));
  }
});

Deno.test("runPlugin() leaves it to the agent to judge a configuration, and judges by itself where there is none", async () => {
  const inputs = [['{"cniVersion":"1.1.0","type":"flock"}', 7], ['{"name":"flock","type":"flock"}', 1]] as const;
  for (const [stdin, expected] of inputs) {
    const served = await call("ADD", { stdin, agents: ['{"ok":false,"code":7,"msg":"so","details":""}'] });
    assertEquals([served.document?.["code"], served.process.requests.length], [7, 1]);
    const { code, document, process } = await call("ADD", { stdin });
    assertEquals([code, document?.["code"], process.monotonic()], [1, expected, 0], stdin);
  }
});

Deno.test("runPlugin() ADD waits for an agent that starts, with nothing but its socket", async () => {
  const agents = ["absent", "absent", "absent", '{"ok":true,"result":{}}'] as const;
  const { code, process } = await call("ADD", { agents });
  const retries = ["connect in vain", "connect in vain", "connect", "keep nothing"];
  const first = ["connect in vain", "load the rest", "keep agent socket", "read stdin"];
  assertEquals([code, process.done], [0, [...first, ...retries]]);
});

Deno.test("runPlugin() ADD without an agent answers 11 after 30 s", async () => {
  const { code, document, process } = await call("ADD");
  assertEquals([code, document?.["code"], process.monotonic()], [1, 11, 30_000]);
});

Deno.test("runPlugin() refuses a bad ADD at once, agent or not", async () => {
  const { document, process } = await call("ADD", { env: { ...ENVIRONMENT, CNI_IFNAME: "a/b" } });
  assertEquals([document?.["code"], process.monotonic()], [4, 0]);
});

Deno.test("runPlugin() DEL without an agent, or with one that dies, leaves a tombstone and succeeds", async () => {
  for (const agent of ["absent", "hangs up"]) {
    const { code, document, process } = await call("DEL", { agents: [agent] });
    assertEquals([code, document], [0, undefined]);
    assertEquals(process.done.filter((step) => step.startsWith("keep")), ["keep tombstones"]);
    const tombstone = { containerId: "abc", ifname: "eth0", requestId: "0123456789ab" };
    assertEquals(process.tombstones.map(({ at: _, ...rest }) => rest), [tombstone]);
  }
});

Deno.test("runPlugin() DEL leaves a tombstone that the agent can read, however long a variable is", async () => {
  const { process } = await call("DEL", { env: { ...ENVIRONMENT, CNI_NETNS: "x".repeat(20_000) } });
  const [tombstone] = process.tombstones;
  assertEquals(tombstone && parseTombstone(renderTombstone(tombstone)), tombstone);
  assertEquals(process.tombstones.length, 1);
});

Deno.test("runPlugin() DEL leaves no tombstone for a container that cannot be", async () => {
  const { code, process } = await call("DEL", { env: { ...ENVIRONMENT, CNI_CONTAINERID: "../x" } });
  assertEquals([code, process.tombstones], [1, []]);
});

Deno.test("runPlugin() DEL passes the agent's error on", async () => {
  const { code, document, process } = await call("DEL", {
    agents: ['{"ok":false,"code":11,"msg":"busy","details":""}'],
  });
  assertEquals([code, document?.["code"], process.tombstones], [1, 11, []]);
});

Deno.test("runPlugin() without an agent: STATUS answers 50, CHECK and GC 11", async () => {
  for (const [verb, expected] of [["STATUS", 50], ["CHECK", 11], ["GC", 11]] as const) {
    for (const agent of ["absent", "hangs up"]) {
      const { code, document } = await call(verb, { agents: [agent] });
      assertEquals([code, document?.["code"]], [1, expected], `${verb} ${agent}`);
    }
  }
});

Deno.test("runPlugin() waits for an agent that starts: STATUS 15 s, ADD 30 s, no other verb", async () => {
  for (const [verb, seconds] of [["STATUS", 15], ["ADD", 30], ["CHECK", 0], ["GC", 0], ["DEL", 0]] as const) {
    const { process } = await call(verb, { agents: [] });
    assertEquals(Math.round(process.monotonic() / 1000), seconds, verb);
  }
  const { process } = await call("STATUS", { agents: [], booted: true });
  assertEquals(process.monotonic(), 0, "kubelet starts no pod, flock's neither, before it has an answer");
  const { code, document } = await call("STATUS", { agents: ["absent", "absent", '{"ok":true}'] });
  assertEquals([code, document], [0, undefined]);
});

Deno.test("runPlugin() answers before kubelet gives up when the agent never does, and leaves a tombstone for a DEL (T-REL-21, T-REL-44)", async () => {
  const answers = [["ADD", 11, 90], ["CHECK", 11, 30], ["GC", 11, 30], ["STATUS", 50, 10]] as const;
  for (const [verb, expected, seconds] of answers) {
    const { code, document, process } = await call(verb, { agents: ["is silent"] });
    assertEquals([code, document?.["code"], process.monotonic()], [1, expected, seconds * 1000], verb);
    assertMatch(String(document?.["msg"]), new RegExp(`no answer of the agent in ${seconds} s`));
  }
  const { code, document, process } = await call("DEL", { agents: ["is silent"] });
  assertEquals([code, document, process.monotonic(), process.tombstones.length], [0, undefined, 30_000, 1]);
});

Deno.test("runPlugin() DEL fails when neither agent nor disk takes it", async () => {
  const { code, document } = await call("DEL", { noteFails: new Error("No space left on device") });
  assertEquals([code, document?.["code"]], [1, 11]);
  assertStringIncludes(String(document?.["msg"]), "No space left on device");
});

Deno.test("runPlugin() prints no second document when the first one cannot be printed", async () => {
  const printFails = new Error("EAGAIN");
  const process = new FakeProcess({
    env: { CNI_COMMAND: "ADD", ...ENVIRONMENT },
    stdin: CONFIG,
    agents: ['{"ok":true,"result":{}}'],
    printFails,
  });
  await assertRejects(() => runPlugin(process, optionsOf(process)), Error, "EAGAIN");
  assertEquals(process.stdout, "{}\n");
});

Deno.test("runPlugin() answers one document for every nonsense of the agent", async () => {
  for (
    const line of ["", "7", "[]", "{}", '{"ok":false}', '{"ok":1}', '{"ok":true}', '{"ok":false,"code":"4","msg":"x"}']
  ) {
    const { code, document } = await call("ADD", { agents: [line] });
    assertEquals([code, document?.["code"]], [1, 5], line);
  }
});

Deno.test("runPlugin() rewords an agent's error that runtimes would take for success (T-CNI-28)", async () => {
  const { process } = await call("DEL", {
    agents: ['{"ok":false,"code":11,"msg":"netns not found","details":"no such file or directory"}'],
  });
  assertNotMatch(process.stdout, /not found|no such file or directory/i);
});
