/** How the DaemonSet's BIRD starts and stops: its script, with programs that write down how they were called. */
import { assertEquals } from "@std/assert";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { until } from "../lab/until.ts";
import { podContainer } from "./objects.ts";

const RENDERED = `protocol static aggregates4 {
  ipv4;
  route 203.0.113.0/26 blackhole;
}

protocol static hosts4 {
  ipv4;
  route 198.51.100.25/32 blackhole;
}

protocol static anycast4 {
  ipv4;
  route 198.51.100.53/32 blackhole;
}

protocol static hosts6 {
  ipv6;
}
`;

Deno.test("BIRD starts from the bootstrap configuration while the agent has left none", async () => {
  await using node = await createNode();
  assertEquals(await node.start(), `-c ${node.root}/etc/flock/bootstrap/bird.conf`);
});

Deno.test("of an earlier boot BIRD takes the prefixes, not the single addresses, and recovers nothing", async () => {
  await using node = await createNode();
  await node.render(RENDERED);
  assertEquals(await node.start(), `-c ${node.root}/run/bird/start.conf`);
  assertEquals(
    await Deno.readTextFile(`${node.root}/run/bird/start.conf`),
    RENDERED.replace(/ {2}route 198\.51\.100\.\d+\/32 blackhole;\n/g, ""),
  );
  assertEquals(await node.start(), `-c ${node.root}/run/bird/start.conf`);
});

Deno.test("BIRD recovers what the agent has rendered since the boot, be it the same text as before", async () => {
  await using node = await createNode();
  await node.render(RENDERED);
  await node.start();
  await node.render(RENDERED);
  assertEquals(await node.start(), `-c ${node.root}/etc/flock/bird/bird.conf -R`);
  assertEquals(await node.start(), `-c ${node.root}/etc/flock/bird/bird.conf -R`);
  await node.reboot();
  assertEquals(await node.start(), `-c ${node.root}/run/bird/start.conf`);
});

interface FakeNode extends AsyncDisposable {
  readonly root: string;
  /** Puts a configuration in place as the agent does. */
  render(text: string): Promise<void>;
  /** What a reboot takes away. */
  reboot(): Promise<void>;
  /**
   * Runs the script until its BIRD runs, and ends it by SIGTERM as kubelet does.
   *
   * @returns the words that BIRD got last
   */
  start(): Promise<string>;
}

const BIRD = `#!/bin/sh
echo "$$" >"$ROOT/bird.pid"
echo "$*" >"$ROOT/started"
while :; do sleep 0.01; done
`;
/** As the real one: BIRD ends by itself. */
const BIRDC = `#!/bin/sh
[ "$*" = "-s $ROOT/run/flock/bird.ctl graceful restart" ] && kill -KILL "$(cat "$ROOT/bird.pid")"
`;

async function createNode(): Promise<FakeNode> {
  const root = await Deno.makeTempDir({ prefix: "flock-bird-start-" });
  const { command, args } = await podContainer("bird");
  const words = [...strings(command), ...strings(args)].map((word) =>
    word.replaceAll(/(?<=[ =])\/(etc|run)\//g, `${root}/$1/`)
  );
  for (const directory of ["bin", "etc/flock/bird", "etc/flock/bootstrap", "run/bird", "run/flock"]) {
    await Deno.mkdir(`${root}/${directory}`, { recursive: true });
  }
  await Deno.writeTextFile(`${root}/bin/bird`, BIRD, { mode: 0o755 });
  await Deno.writeTextFile(`${root}/bin/birdc`, BIRDC, { mode: 0o755 });
  const rendered = `${root}/etc/flock/bird/bird.conf`;
  return {
    root,
    render: async (text) => {
      await Deno.writeTextFile(`${rendered}.new`, text);
      await Deno.rename(`${rendered}.new`, rendered);
    },
    reboot: () => Deno.remove(`${root}/run/flock/bird.first`),
    start: () => startOnce(root, words),
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
}

async function startOnce(root: string, words: readonly string[]): Promise<string> {
  await Deno.remove(`${root}/started`).catch(() => {});
  const env = [`ROOT=${root}`, `PATH=${root}/bin:/usr/bin:/bin`];
  const script = `"$@" & echo $! >"$ROOT/pid"; wait $!; echo $? >"$ROOT/code"`;
  const running = createSystemRunner().run(["/usr/bin/env", ...env, "/bin/sh", "-c", script, "sh", ...words]);
  const started = await until(
    "BIRD runs",
    () => Deno.readTextFile(`${root}/started`).then((text) => text.trim() || false),
  );
  Deno.kill(Number(await Deno.readTextFile(`${root}/pid`)), "SIGTERM");
  await running;
  assertEquals(
    (await Deno.readTextFile(`${root}/code`)).trim(),
    "137",
    "it ended with its BIRD, which its birdc ended",
  );
  return started.replace(/^-f -u bird -s \S+ /, "");
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
