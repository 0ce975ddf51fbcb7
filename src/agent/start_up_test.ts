import { assertEquals, assertThrows } from "@std/assert";
import { CniError } from "../cnispec/cni_error.ts";
import { createConflistPlacer, renderConflist } from "./conflist.ts";
import { parseAgentArgs } from "./parse_agent_args.ts";
import { assertServing } from "./serving_status.ts";

Deno.test("parseAgentArgs() takes the node's name from the command line, else from NODE_NAME", () => {
  const env = (name: string): string | undefined => name === "NODE_NAME" ? "from-env" : undefined;
  assertEquals(parseAgentArgs(["--node", "node-a", "--kubeconfig", "/etc/flock/kubeconfig"], env), {
    nodeName: "node-a",
    kubeconfig: "/etc/flock/kubeconfig",
  });
  assertEquals(parseAgentArgs([], env), { nodeName: "from-env" });
  assertEquals(parseAgentArgs(["--help"], () => undefined), "help");
});

Deno.test("parseAgentArgs() names what is wrong", () => {
  const none = (): undefined => undefined;
  assertThrows(() => parseAgentArgs([], none), Error, "NODE_NAME");
  assertThrows(() => parseAgentArgs(["--nod", "a"], none), Error, "--nod");
  for (const name of ["", "A", "a_b", "a/../b", "-a", "a\n"]) {
    assertThrows(() => parseAgentArgs([`--node=${name}`], none), Error, "node name");
  }
});

Deno.test("the conflist is readable by old runtimes, asks new ones for STATUS, and chains portmap on request", () => {
  const plain = JSON.parse(renderConflist({ portmap: false }));
  assertEquals([plain.cniVersion, plain.cniVersions], ["1.0.0", ["1.0.0", "1.1.0"]]);
  assertEquals(plain.plugins.map(({ type }: { type: string }) => type), ["flock"]);
  const chained = JSON.parse(renderConflist({ portmap: true }));
  assertEquals(chained.plugins.map(({ type }: { type: string }) => type), ["flock", "portmap"]);
});

Deno.test("the conflist is written when it differs, not before there is a NodeConfig, and not twice", async () => {
  let content = "old";
  const writes: string[] = [];
  const place = createConflistPlacer({
    read: () => Promise.resolve(content),
    write: (text) => Promise.resolve(void writes.push(content = text)),
  });
  await place(undefined);
  assertEquals(writes.length, 0);
  await place({ portmap: false });
  await place({ portmap: false });
  assertEquals(writes.length, 1);
  await place({ portmap: true });
  assertEquals(writes.length, 2);
});

Deno.test("STATUS fails with 50 while nothing can be served, with 51 until a session has come up, and with nothing else", () => {
  const code = (facts: Parameters<typeof assertServing>[0]): number => {
    try {
      assertServing(facts);
      return 0;
    } catch (error) {
      return error instanceof CniError ? error.code : -1;
    }
  };
  const sessions = { asked: true, sessions: undefined, everEstablished: false };
  assertEquals(code({ ready: false, why: "no NodeConfig", peers: 2, sessions }), 50);
  assertEquals(code({ ready: true, why: "", peers: 2, sessions }), 51);
  assertEquals(code({ ready: true, why: "", peers: 0, sessions }), 0);
  assertEquals(code({ ready: true, why: "", peers: 2, sessions: { ...sessions, everEstablished: true } }), 0);
});
