/**
 * What the plugin can still do after its first act, with the very flags of the executable. Needs root and `deno task
 * build`.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { renderPermissionFlags } from "../../deploy/permission_flags.ts";
import { runDeno } from "../../deploy/run_deno.ts";
import { GRANTED, PERMISSION_SETS } from "../../src/permissions/permission_sets.ts";
import { Cage, documentOf, FLOCK } from "./_cage.ts";

const PROBE = new URL("./probe.ts", import.meta.url).pathname;
const FLAGS = renderPermissionFlags(GRANTED, Deno.version.deno);
const GRANTED_TO_NO_MODE = ["spawn sh", "read /etc/passwd", "load library", "import"];

/** @returns the attempts of tests/plugin/probe.ts that no permission stopped */
async function allowedAfter(keep: "all" | "nothing" | "tombstones" | "socket", flags = FLAGS): Promise<string[]> {
  const directory = await Deno.makeTempDir();
  try {
    const bundled = await runDeno(["bundle", "--quiet", "--output", `${directory}/probe.js`, PROBE]);
    assert(bundled.ok, bundled.output);
    await using cage = await Cage.open();
    await cage.startAgent("hangs up");
    await cage.run(["/bin/mkdir", "/run/flock/deleted"]);
    const run = ["run", "--no-prompt", "--no-config", ...flags, `${directory}/probe.js`, keep];
    const { stdout, stderr } = await cage.run([Deno.execPath(), ...run], {
      env: { CNI_ARGS: "x", DENO_DIR: "/dev/null" },
    });
    assert(stdout !== "", stderr);
    return Object.entries(JSON.parse(stdout)).filter(([, outcome]) => outcome === "allowed").map(([name]) => name);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("the executable has the flags that these tests use", async () => {
  const head = new TextDecoder().decode((await Deno.readFile(FLOCK)).subarray(0, 16_384));
  if (!head.startsWith("#!/bin/sh")) {
    return assert(head.startsWith("\x7fELF"), `${FLOCK} is neither launcher nor executable`);
  }
  for (const flag of FLAGS) {
    const [kind = "", names = ""] = flag.split("=");
    const words = head.split("'").filter((word) => word.split("=")[0] === kind);
    assertEquals(words.length, 1);
    const extra = (words[0]?.split("=")[1] ?? "").split(",").filter((name) => !names.split(",").includes(name));
    assertEquals(
      extra.filter((name) => !/\/dist\/lib\/(without_agent|agent|inspect|install)\.mjs$/.test(name)),
      [],
      kind,
    );
  }
});

Deno.test("before it gives anything up the plugin could do what the modes together may, and no more", async () => {
  const allowed = await allowedAfter("all");
  assertEquals(allowed.filter((name) => GRANTED_TO_NO_MODE.includes(name)), []);
  assertEquals(allowed.length, 16 - GRANTED_TO_NO_MODE.length);
});

Deno.test("once connected the plugin can neither spawn, read, write nor connect", async () => {
  assertEquals(await allowedAfter("nothing"), []);
});

Deno.test("a DEL can write tombstones, and nothing else", async () => {
  assertEquals(await allowedAfter("tombstones"), ["write tombstone"]);
});

Deno.test("an ADD that waits for the agent can reach the network, but no process, file or variable", async () => {
  const network = ["connect agent", "connect TCP", "listen", "fetch"];
  assertEquals(await allowedAfter("socket"), network);
});

/** The executable under test may be of another Deno than this one: CI has one compiled by 2.4.2. */
Deno.test("the socket is reached on either side of Deno 2.9, where it became a net permission (T-SEC-50)", async () => {
  await using cage = await Cage.open();
  await cage.startAgent('{"ok":true,"result":{"cniVersion":"1.1.0","ips":[]}}');
  const { code, stdout } = await cage.call("ADD");
  assertEquals([code, stdout], [0, '{"cniVersion":"1.1.0","ips":[]}\n']);
  assertEquals(documentOf(await cage.call("STATUS")), undefined);

  const [before, since] = ["2.8.0", "2.9.0"].map((version) => renderPermissionFlags(PERMISSION_SETS.plugin, version));
  assertEquals(since?.filter((flag) => !before?.includes(flag)), ["--allow-net=unix:/run/flock/agent.sock"]);
  for (const flags of [since, FLAGS]) assert((await allowedAfter("all", flags)).includes("connect agent"));
  await assertRejects(() => allowedAfter("all", before), Error, "Requires net access");
});
