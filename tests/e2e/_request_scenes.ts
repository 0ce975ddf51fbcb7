/** What the plugin answers by itself, beside an agent that could serve the call. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CONFLIST } from "../../src/paths/paths.ts";
import { record } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";
import { PLUGIN } from "./_sandbox.ts";

const CONFIG = { cniVersion: "1.1.0", name: "flock", type: "flock" };
const ENVIRONMENT = { CNI_CONTAINERID: "a", CNI_NETNS: "/run/netns/a", CNI_IFNAME: "eth0", CNI_PATH: "/opt/cni/bin" };
const OF_A_CONTAINER = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"];
const NEEDS: readonly [verb: string, variables: readonly string[]][] = [
  ["ADD", OF_A_CONTAINER],
  ["CHECK", OF_A_CONTAINER],
  ["DEL", OF_A_CONTAINER.filter((name) => name !== "CNI_NETNS")],
  ["GC", ["CNI_PATH"]],
  ["STATUS", ["CNI_PATH"]],
];
const BAD_INPUTS: readonly [input: string, code: number][] = [
  ["no json", 6],
  ["", 6],
  [" ".repeat(10 << 20), 6],
  [JSON.stringify({ ...CONFIG, name: undefined }), 7],
  [JSON.stringify({ ...CONFIG, name: "a/b" }), 7],
  [JSON.stringify({ ...CONFIG, cniVersion: undefined }), 1],
];

interface Call {
  /** All the variables that there are. */
  readonly env: Readonly<Record<string, string>>;
  /** Default a good configuration. */
  readonly stdin?: string;
  /** What a shell connects standard input with, in place of `stdin`. */
  readonly from?: string;
}

/** Each call is a process of its own; those of a step run at once. Nothing is left on the node by any of them. */
export async function tryRequests(t: Deno.TestContext, node: LabNode): Promise<void> {
  await t.step("a variable that is missing is named, and all that are (T-CNI-01, T-CNI-02)", async () => {
    const calls = NEEDS.flatMap(([verb, names]) => names.map((name) => ({ verb, name })));
    await Promise.all(calls.map(async ({ verb, name }) => {
      const { [name]: _, ...env }: Record<string, string> = ENVIRONMENT;
      const { code, msg } = await run(node, { env: { CNI_COMMAND: verb, ...env } });
      assertEquals(code, 4, `${verb} without ${name}`);
      assertStringIncludes(String(msg), `[${name}]`);
    }));
    const { msg } = await run(node, { env: { CNI_COMMAND: "ADD", CNI_CONTAINERID: "a" } });
    assertStringIncludes(String(msg), "[CNI_NETNS,CNI_IFNAME,CNI_PATH]");
  });
  await t.step("an unknown or empty command answers 4 (T-CNI-03)", async () => {
    const calls = ["FOO", ""].map((verb) => run(node, { env: { CNI_COMMAND: verb, ...ENVIRONMENT } }));
    assertEquals((await Promise.all(calls)).map(({ code }) => code), [4, 4]);
  });
  await t.step(
    "VERSION needs nothing, repeats what it is asked, and lists the conflist's (T-CNI-04, T-CNI-05)",
    async () => {
      const env = { CNI_COMMAND: "VERSION" };
      const { cniVersion, supportedVersions } = await run(node, { env, from: "<&-" });
      const conflist = record(JSON.parse(await node.read(CONFLIST)));
      const wanted = [conflist["cniVersion"], ...array(conflist["cniVersions"])];
      assertEquals([cniVersion, wanted.filter((it) => !array(supportedVersions).includes(it))], ["1.1.0", []]);
      const unknown = await run(node, { env, stdin: JSON.stringify({ cniVersion: "9.9.9" }) });
      assertEquals(unknown, { cniVersion: "9.9.9", supportedVersions });
    },
  );
  await t.step(
    "input that is no configuration answers 1, 6 or 7, what cannot be read 5 (T-CNI-08, T-CNI-09)",
    async () => {
      const env = { CNI_COMMAND: "ADD", ...ENVIRONMENT };
      const answers = await Promise.all([
        ...BAD_INPUTS.map(([stdin]) => run(node, { env, stdin })),
        ...["</", "<&-"].map((from) => run(node, { env, from })), // Deno puts /dev/null in place of a closed one
      ]);
      assertEquals(answers.map(({ code }) => code), [...BAD_INPUTS.map(([, code]) => code), 5, 6]);
    },
  );
}

/** @returns the one document on standard output, which is an error's exactly when the exit code says so */
async function run(
  node: LabNode,
  { env, stdin = JSON.stringify(CONFIG), from }: Call,
): Promise<Record<string, unknown>> {
  const argv = from === undefined ? [PLUGIN] : ["/bin/sh", "-c", `exec ${PLUGIN} ${from}`];
  const { code, stdout } = await node.exec(argv, { env, stdin, timeoutMs: 60_000 });
  const document = record(JSON.parse(stdout));
  assertEquals(code !== 0, "code" in document, stdout);
  return document;
}

function array(value: unknown): readonly unknown[] {
  assert(Array.isArray(value), `${String(value)} is no list`);
  return value;
}
