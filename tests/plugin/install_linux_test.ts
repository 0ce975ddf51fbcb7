/** `flock install` on a node's own directories. Needs root, strace and `deno task build`. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { CommandResult } from "../../src/exec/command_runner.ts";
import { IMAGE_EXECUTABLE, NEW_PLUGIN, PLUGIN } from "../../src/paths/paths.ts";
import { callsIn, TRACE_FILES, underTmp } from "../lab/file_trace.ts";
import { Cage, documentOf, FLOCK } from "./_cage.ts";

const BIN = "/opt/cni/bin";
const STORM = new URL("./_install_storm.ts", import.meta.url).pathname;
/** Answers VERSION as any release did, and tells itself by the list. */
const OLD = `#!/bin/sh\necho '{"cniVersion":"1.0.0","supportedVersions":["old"]}'\n`;
/** Room for the executable twice. */
const DISK = "512m";

/**
 * A node with a /usr/local/bin and an /opt/cni/bin of its own, where no mode of flock has been yet; its image's
 * executable is the one under test.
 */
async function openNode(): Promise<Cage> {
  const cage = await Cage.open();
  await sh(
    cage,
    `mkdir -p /run/up/opt /run/up/bin /run/up/work/opt /run/up/work/bin
    mount -t overlay overlay -o lowerdir=/opt,upperdir=/run/up/opt,workdir=/run/up/work/opt /opt
    mount -t overlay overlay -o lowerdir=/usr/local/bin,upperdir=/run/up/bin,workdir=/run/up/work/bin /usr/local/bin
    rm -rf ${BIN}; mkdir -p ${BIN}; mount -t tmpfs -o size=${DISK} tmpfs ${BIN}
    cp ${FLOCK} ${IMAGE_EXECUTABLE}; : >${BIN}/loopback`,
  );
  return cage;
}

/** @returns standard output. @throws when the script fails */
async function sh(cage: Cage, script: string): Promise<string> {
  const env = { PATH: "/usr/sbin:/usr/bin:/bin" };
  const { code, stdout, stderr } = await cage.run(["/bin/sh", "-ec", script], { env, timeoutMs: 300_000 });
  assertEquals(code, 0, stderr);
  return stdout;
}

/** Under a umask that would leave everything open to everybody. */
async function install(cage: Cage, ...args: string[]): Promise<CommandResult> {
  return await cage.run(["/bin/sh", "-c", 'umask 000; exec "$@"', "sh", FLOCK, "install", ...args]);
}

/** @returns what a runtime gets for an answer */
async function versionsOf(cage: Cage): Promise<unknown> {
  const result = await cage.run([PLUGIN], { env: { CNI_COMMAND: "VERSION" } });
  assertEquals(result.code, 0, result.stderr);
  return documentOf(result)?.["supportedVersions"];
}

async function placeOld(cage: Cage): Promise<void> {
  await sh(cage, `cat >${BIN}/.old <<'E'\n${OLD}E\nchmod 755 ${BIN}/.old; mv -f ${BIN}/.old ${PLUGIN}`);
}

/**
 * What works as well, and has to be replaced for its mode. A script there would be in the way of the test: the kernel
 * starts its shell, which opens the path anew, and may find what came meanwhile.
 */
async function placeTwin(cage: Cage): Promise<void> {
  await sh(cage, `cp ${FLOCK} ${BIN}/.old; chmod 700 ${BIN}/.old; mv -f ${BIN}/.old ${PLUGIN}`);
}

const look = (cage: Cage): Promise<string> => sh(cage, `cd ${BIN}; stat -c '%n %a %U:%G %F' .[!.]* * 2>&- || true`);
const inode = (cage: Cage): Promise<string> => sh(cage, `stat -c '%i %Z' ${PLUGIN}`);

Deno.test("install places an executable of root's whatever the umask, and leaves alone what is the same (T-SEC-30)", async () => {
  await using cage = await openNode();
  const first = await install(cage);
  assertEquals([first.code, first.stdout, first.stderr], [0, `${PLUGIN} is new\n`, ""]);
  assertEquals(await look(cage), FLOCK_ALONE);
  assertEquals(await sh(cage, `cmp ${PLUGIN} ${FLOCK}`), "");
  const before = await inode(cage);
  const second = await install(cage);
  assertEquals([second.code, second.stdout], [0, `${PLUGIN} was there already\n`]);
  assertEquals(await inode(cage), before);
  await sh(cage, `ln -sf /run/precious ${PLUGIN}; echo precious >/run/precious; ln -s /run/precious ${NEW_PLUGIN}`);
  await sh(cage, `rm ${BIN}/loopback`);
  assertStringIncludes((await install(cage)).stderr, `${BIN}/loopback is missing`);
  assertEquals([await look(cage), await sh(cage, "cat /run/precious")], [
    `${FLOCK_ALONE.split("\n")[0]}\n`,
    "precious\n",
  ]);
});

Deno.test("install opens, makes and removes nothing under /tmp, and what it runs neither", async () => {
  await using cage = await openNode();
  assertEquals((await cage.run([...TRACE_FILES, "/run/trace", FLOCK, "install"])).code, 0);
  const calls = callsIn(await sh(cage, "cat /run/trace"));
  assert(calls.some((call) => call.includes(`"${PLUGIN}"`)), "the trace is not of an install");
  assertEquals(underTmp(calls, FLOCK.slice(0, FLOCK.lastIndexOf("/"))), []);
});

Deno.test("install says what is wrong, and changes nothing", async (t) => {
  await using cage = await openNode();
  await placeOld(cage);
  const before = await look(cage);
  const faults: [string, { cause: string; mend: string; says: RegExp }][] = [
    ["a full disk", {
      cause: `head -c ${DISK} /dev/zero >${BIN}/fill 2>&- || true`,
      mend: `rm ${BIN}/fill`,
      says: /No space left on device/,
    }],
    ["a read-only directory", {
      cause: `mount -o remount,ro ${BIN}`,
      mend: `mount -o remount,rw ${BIN}`,
      says: /Read-only file system/,
    }],
    ["a file cut short", {
      cause: `head -c 99 ${FLOCK} >${IMAGE_EXECUTABLE}`,
      mend: `cp ${FLOCK} ${IMAGE_EXECUTABLE}`,
      says: /cut short/,
    }],
    ["another architecture", {
      // An ELF header of the machine type EM_RISCV.
      cause: `printf '\\177ELF\\002\\001\\001\\0\\0\\0\\0\\0\\0\\0\\0\\0\\002\\0\\363\\0' >${IMAGE_EXECUTABLE}`,
      mend: `cp ${FLOCK} ${IMAGE_EXECUTABLE}`,
      says: /another architecture/,
    }],
    ["no executable", {
      cause: `rm ${IMAGE_EXECUTABLE}`,
      mend: `cp ${FLOCK} ${IMAGE_EXECUTABLE}`,
      says: /No such file/,
    }],
  ];
  for (const [name, { cause, mend, says }] of faults) {
    await t.step(name, async () => {
      await sh(cage, cause);
      const { code, stdout, stderr } = await install(cage);
      await sh(cage, mend);
      assertEquals([code, stdout], [1, ""]);
      assertMatch(stderr, says);
      assertMatch(stderr, /^Cannot install \/opt\/cni\/bin\/flock: /);
      assertEquals([await look(cage), await versionsOf(cage)], [before, ["old"]]);
    });
  }
  await t.step("a command line that it does not know", async () => {
    const { code, stderr } = await install(cage, "--into", "/tmp");
    assertEquals(code, 2);
    assertStringIncludes(stderr, "Usage: flock install");
  });
  assertEquals((await install(cage)).code, 0);
});

const FLOCK_ALONE = "flock 755 root:root regular file\nloopback 644 root:root regular empty file\n";

/**
 * What an install does to the node, step by step: a pattern of system calls (strace(1)), and the path that they are
 * about.
 */
const STEPS = [
  ["/^flock", BIN],
  ["/^unlink", NEW_PLUGIN],
  ["/^open", NEW_PLUGIN],
  ["/^write", NEW_PLUGIN],
  ["/chmod", NEW_PLUGIN],
  ["/^fsync", NEW_PLUGIN],
  ["/^read$", NEW_PLUGIN],
  ["/^rename", NEW_PLUGIN],
  ["/^fsync", BIN],
] as const;

Deno.test("an install that is killed at any step leaves an executable that works, while plugins run (T-REL-39)", async () => {
  await using cage = await openNode();
  await placeTwin(cage);
  const killed = killAtEachStep(cage).finally(() => sh(cage, "touch /run/enough"));
  const [calls] = await Promise.all([sh(cage, callUntilEnough({ loops: 20, pauseS: 3 })), killed]);
  expectAnswers(calls, 20);
});

async function killAtEachStep(cage: Cage): Promise<void> {
  for (const [call, path] of STEPS) {
    await placeTwin(cage);
    await sh(cage, `echo half >${NEW_PLUGIN}`);
    const traced = ["-P", path, `--trace=${call}`, `--inject=${call}:signal=KILL:when=1`];
    const strace = ["/usr/bin/strace", "-f", "-qq", "-o", "/dev/null", ...traced] as const;
    const { code } = await cage.run([...strace, FLOCK, "install"]);
    assertEquals(code, 128 + 9, `${call} of ${path} killed nobody`);
    const versions = await versionsOf(cage);
    assert(Array.isArray(versions) && versions.length > 0, `no answer after ${call} of ${path}`);
    assertEquals([(await install(cage)).code, await look(cage)], [0, FLOCK_ALONE]);
  }
}

Deno.test("a hundred installs at once and a thousand calls of VERSION: each call is answered by a whole executable (T-SEC-31)", async () => {
  await using cage = await openNode();
  await placeOld(cage);
  const env = { HOME: Deno.env.get("HOME") ?? "/root", PATH: "/usr/bin:/bin" };
  const storm = cage.run([Deno.execPath(), "run", "--quiet", "-A", "--no-config", STORM], { env });
  const calls = await sh(cage, `${callThroughStorm({ loops: 10, times: 100 })}\ntouch /run/enough`);
  const { code, stderr } = await storm;
  assertEquals(code, 0, stderr);
  expectAnswers(calls, 1000);
  const several = await Promise.all(Array.from({ length: 6 }, () => install(cage)));
  assertEquals(several.map(({ code }) => code), Array(6).fill(0));
  assertEquals(several.filter(({ stdout }) => stdout.endsWith("is new\n")).length, 1);
  assertEquals(await look(cage), FLOCK_ALONE);
});

/**
 * An executable compiled by Deno before 2.9 looks for its program a moment after its start, under its own path; where
 * that was replaced in between it ends so, and the runtime calls again. A newer one has it mapped (denoland/sui,
 * find_section()).
 */
const REPLACED_WHILE_STARTING = "Failed reading standalone binary section";

/** Prints `ok`, or what was said instead of an answer. */
const CALL = `answer=$(${PLUGIN} 2>&1 </dev/null) || answer="failed: $answer"
  case $answer in '{'*supportedVersions*) echo ok ;; *) echo bad: $answer ;; esac`;

function callUntilEnough({ loops, pauseS }: { loops: number; pauseS: number }): string {
  return inLoops(loops, `while :; do ${CALL}; [ ! -e /run/enough ] || break; sleep ${pauseS}; done`);
}

/** Each loop calls so often, and on until the storm has placed enough: `sh` gives up before it waits forever. */
function callThroughStorm({ loops, times }: { loops: number; times: number }): string {
  return inLoops(loops, `for time in $(seq ${times}); do ${CALL}; done; until [ -e /run/stormed ]; do ${CALL}; done`);
}

function inLoops(loops: number, script: string): string {
  return `export CNI_COMMAND=VERSION\nfor loop in $(seq ${loops}); do ( ${script} ) & done\nwait`;
}

function expectAnswers(output: string, atLeast: number): void {
  const lines = output.trim().split("\n").filter((line) => !line.includes(REPLACED_WHILE_STARTING));
  assertEquals(lines.filter((line) => line !== "ok").slice(0, 3), []);
  assert(lines.length >= atLeast, `only ${lines.length} calls`);
}
