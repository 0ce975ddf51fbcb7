/** 110 pods at once, as when a node comes back: whole plugins, empty modules, and the agent by itself. Made inside a node. */
import { hostLinkName } from "../../src/hash/container_hash.ts";
import { IP, STATE_FILE } from "../../src/paths/paths.ts";
import { record, records } from "../lab/json.ts";
import { type Call, callOf, runAdd, runDel, timeAgent } from "./_cni_calls.ts";
import { runTimed } from "./_spawn.ts";
import { renderHostEnd, renderPodEnd } from "./bare_links.ts";
import type { BenchPod, Contender, Executables, Samples } from "./contenders.ts";

/** Kubelet's default for a node. */
export const BURST = 110;
/** Two writes of the state belong to each ADD: pending, committed. */
const STEPS_OF_ADD = 2;
const PAIRS_AT_ONCE = 50;

/** @returns the contenders by name; `burst-pairs` runs PAIRS_PER_RUN pairs */
export async function createBursts({ flock, empty }: Executables): Promise<[string, Contender][]> {
  const namespaces = Array.from({ length: BURST }, (_, n) => `bench-burst-${n}`);
  for (const name of namespaces) await runTimed([IP, "netns", "add", name]);
  const callsFor = (pod: BenchPod): Call[] => namespaces.map((netns) => callOf({ netns, pod }));
  return [
    ["burst-empty", async () => ({ "burst-empty": await timed(namespaces.map(() => () => runTimed([empty]))) })],
    ["burst-floor", () => burstOfFloors(empty, namespaces)],
    ["burst", (pod) => burst(flock, callsFor(pod))],
    ["burst-rpc", (pod) => burstOfAgent(callsFor(pod))],
    ["burst-pairs", (pod) => runPairs(namespaces.slice(0, PAIRS_AT_ONCE), pod)],
  ];
}

/** What no plugin that is an executable of this form, and makes links by `ip`, can do without: a process of each for every pod. */
async function burstOfFloors(empty: string, namespaces: readonly string[]): Promise<Samples> {
  const links = namespaces.map((netns, n) => ({
    ...{ hostLink: netns, netns, mtu: 9000 },
    ...{ ipv6: `2001:db8:be::${(n + 1).toString(16)}`, ipv4: `198.19.255.${n + 1}` },
  }));
  const ms = await timed(links.map((link) => async () => {
    await runTimed([empty]);
    await runTimed([IP, "-batch", "-"], { stdin: renderHostEnd(link) });
    await runTimed([IP, "-n", link.netns, "-batch", "-"], { stdin: renderPodEnd(link) });
  }));
  await runTimed([IP, "-batch", "-"], { stdin: links.map(({ hostLink }) => `link del ${hostLink}\n`).join("") });
  return { "burst-floor": ms };
}

async function burst(flock: string, calls: readonly Call[]): Promise<Samples> {
  const given: string[] = [];
  const before = await readGeneration();
  const add = await timed(calls.map((call) => async () => void given.push(...(await runAdd(flock, call)).addresses)));
  const writes = await readGeneration() - before;
  expectUnique(given);
  const del = await timed(calls.map((call) => () => runDel(flock, call)));
  await expectGone(calls);
  return { "burst-add": add, "burst-del": del, "burst-steps": calls.length * STEPS_OF_ADD / writes };
}

/** The time of each: all of them shared what they took. */
async function burstOfAgent(calls: readonly Call[]): Promise<Samples> {
  const add = await timed(calls.map((call) => () => timeAgent("ADD", call)));
  const del = await timed(calls.map((call) => () => timeAgent("DEL", call)));
  await expectGone(calls);
  return { "burst-agent-add": add / calls.length, "burst-agent-del": del / calls.length };
}

/** How many pairs of ADD and DEL one run of `burst-pairs` makes. */
export const PAIRS_PER_RUN = 500;

/** Over the agent's socket, a few at a time. Containers come again: each deletion is remembered for minutes. */
async function runPairs(namespaces: readonly string[], pod: BenchPod): Promise<Samples> {
  const each = Math.ceil(PAIRS_PER_RUN / namespaces.length);
  const all = await timed(namespaces.map((netns, index) => async () => {
    for (let pair = 0; pair < each; pair++) {
      const call = { netns, pod, container: `pair-${index}-${pair}` };
      await timeAgent("ADD", call);
      await timeAgent("DEL", call);
    }
  }));
  return { pair: all / (each * namespaces.length) };
}

/** @returns milliseconds until the last of them has ended, all having started at once */
async function timed(tasks: readonly (() => Promise<unknown>)[]): Promise<number> {
  const start = performance.now();
  await Promise.all(tasks.map((task) => task()));
  return performance.now() - start;
}

async function readGeneration(): Promise<number> {
  return Number(record(JSON.parse(await Deno.readTextFile(STATE_FILE)))["generation"]);
}

function expectUnique(addresses: readonly string[]): void {
  if (addresses.length === 2 * BURST && new Set(addresses).size === addresses.length) return;
  throw new Error(`Cannot count a burst: ${addresses.length} addresses, ${new Set(addresses).size} different ones`);
}

async function expectGone(calls: readonly Call[]): Promise<void> {
  const { stdout } = await runTimed([IP, "-j", "link", "show", "type", "veth"]);
  const names = new Set(records(JSON.parse(stdout)).map(({ ifname }) => ifname));
  const left = calls.filter(({ container }) => names.has(hostLinkName(container)));
  if (left.length > 0) throw new Error(`Cannot count a burst: ${left.length} links are left`);
}
