/** A node and its routers for `_bird_scenes.ts`: the node is the network namespace that the scenes run in. */
import { type Argv, expectSuccess } from "../exec/command_runner.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { systemClock } from "../clock/clock.ts";
import { BIRD, IP } from "../paths/paths.ts";
import { type BirdControl, createBirdControl } from "./bird_control.ts";

export const runner = createSystemRunner();

export async function output(...argv: Argv): Promise<string> {
  return expectSuccess(argv, await runner.run(argv)).stdout;
}

/** @returns how long it took, in milliseconds */
export async function until(what: string, look: () => Promise<boolean>, limitMs = 10_000): Promise<number> {
  const start = performance.now();
  while (!await look().catch(() => false)) {
    if (performance.now() - start > limitMs) throw new Error(`Cannot wait until ${what}: not so after ${limitMs} ms`);
    await systemClock.sleep(10);
  }
  return performance.now() - start;
}

export interface Daemon {
  /** Kills it and waits for its end. Idempotent. */
  kill(): Promise<void>;
}

/** Starts a process that stays in the foreground and writes its pid to a file; the kernel kills it when this process dies. */
async function startDaemon(pidFile: string, argv: readonly string[]): Promise<Daemon> {
  const ended = runner.run(["/usr/bin/setpriv", "--pdeathsig", "KILL", ...argv], { timeoutMs: 110_000 }).catch(
    () => {},
  );
  await until(`${pidFile} is written`, async () => Number(await Deno.readTextFile(pidFile)) > 0);
  const pid = Number(await Deno.readTextFile(pidFile));
  let running = true;
  return {
    kill: async () => {
      if (running) Deno.kill(pid, "SIGKILL");
      running = false;
      await ended;
      await Deno.remove(pidFile).catch(() => {});
    },
  };
}

const inside = (netns: string | undefined): string[] => netns === undefined ? [] : [IP, "netns", "exec", netns];

/** @param directory holds `bird.conf`; gets `bird.ctl` and `bird.pid` */
export async function startBird(directory: string, netns?: string): Promise<Daemon> {
  const [config, socket, pid] = ["bird.conf", "bird.ctl", "bird.pid"].map((name) => `${directory}/${name}`);
  const daemon = await startDaemon(`${pid}`, [
    ...[...inside(netns), BIRD, "-f"],
    ...["-c", `${config}`, "-s", `${socket}`, "-P", `${pid}`],
  ]);
  await until("BIRD answers", async () => {
    const control = createBirdControl({ path: `${socket}`, clock: systemClock });
    const { code } = await control.ask("show status").finally(() => control.close());
    return code === 13;
  });
  return daemon;
}

/** Starts FRR's bgpd without zebra: what it heard counts here, not what its kernel does. */
export async function startBgpd(directory: string, netns: string): Promise<Daemon> {
  await Deno.mkdir("/run/frr", { recursive: true });
  const files = ["-f", `${directory}/bgpd.conf`, "-i", `${directory}/bgpd.pid`, "--vty_socket", directory];
  return await startDaemon(`${directory}/bgpd.pid`, [
    ...inside(netns),
    "/usr/lib/frr/bgpd",
    "-S",
    "-Z",
    "-P",
    "0",
    ...files,
  ]);
}

/** A router in a namespace of its own, plugged into the node. */
export interface Plug {
  readonly netns: string;
  /** With prefix lengths. */
  readonly node: readonly string[];
  readonly router: readonly string[];
}

/** @throws on the machine's own network, where the node's addresses may be those of somebody else */
export async function plugIn({ netns, node, router }: Plug): Promise<void> {
  await refuseMachineNetwork();
  const link = `to-${netns}`;
  const at = (argv: string[]): Promise<string> => output(IP, "-n", netns, ...argv);
  await output(IP, "netns", "add", netns);
  await output(IP, "link", "add", link, "type", "veth", "peer", "name", "up0", "netns", netns);
  for (const address of node) await output(IP, "address", "add", address, "dev", link, ...nodad(address));
  for (const address of router) await at(["address", "add", address, "dev", "up0", ...nodad(address)]);
  await output(IP, "link", "set", link, "up");
  await at(["link", "set", "lo", "up"]);
  await at(["link", "set", "up0", "up"]);
}

async function refuseMachineNetwork(): Promise<void> {
  const foreign = (await output(IP, "-br", "address")).split("\n").filter((line) => !/^(lo|to-\S+) /.test(line));
  const inUse = foreign.filter((line) => /[.:]\S*\/\d/.test(line));
  if (inUse.length > 0) throw new Error(`Cannot run the scenes on a network in use: ${inUse[0]?.trim()}`);
}

function nodad(address: string): string[] {
  return address.includes(":") ? ["nodad"] : [];
}

export async function unplug(netns: string): Promise<void> {
  await output(IP, "link", "del", `to-${netns}`);
  await output(IP, "netns", "del", netns);
}

/** @returns the lines of one question to the BIRD of that directory */
export async function ask(directory: string, question: string): Promise<string[]> {
  const control: BirdControl = createBirdControl({ path: `${directory}/bird.ctl`, clock: systemClock });
  const { lines } = await control.ask(question).finally(() => control.close());
  return lines.map(({ text }) => text);
}
