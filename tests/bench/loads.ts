/** What is measured after the rounds, because it leaves the node other than it was: bursts, thousands of pods, new agents. */
import { forgetPeak, openFiles, peakMiB, residentMiB, usedCpuMs, zombies } from "./agent_process.ts";
import type { BenchNode } from "./bench_node.ts";
import { PAIRS_PER_RUN } from "./bursts.ts";
import type { SampleBook } from "./statistics.ts";

const BURSTS = 4;
const STARTS = 3;
const PAIRS = 10_000;
/** From here on nothing may grow. */
const WARM_PAIRS = 1_000;
/**
 * Each freed address rests for half a minute, and is written down with every change: thousands of pods in that time, which no node ever
 * has, would measure the size of that list.
 */
const FEW_ADDRESSES = {
  "flock.fritzlab.net/cidr4": "198.18.3.0/25",
  "flock.fritzlab.net/cidr6": "2001:db8:f001::3:0/121",
};
const LOOKS = 20;
const LOOK_MS = 50;
/** Between two measurements, in milliseconds. */
const REST_MS = 1_000;
/** By then it has closed what it held of pods that went. */
const RESTS_UNTIL_CLOSED = 3;
/** So long nobody asks the agent for anything, and as often, in milliseconds. */
const IDLE_MS = 20_000;
const IDLES = 3;

/** In percent of one core. A look at everything every ten minutes may fall into one of the samples, not into their median. */
export async function measureIdle(
  { agent }: BenchNode,
  { book, name }: { book: SampleBook; name: string },
): Promise<void> {
  for (let idle = 0; idle < IDLES; idle++) {
    await rest();
    const [before, startedAt] = [await usedCpuMs(agent), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    book.add(name, 100 * (await usedCpuMs(agent) - before) / (performance.now() - startedAt));
  }
}

/** The first burst only warms up. */
export async function measureBursts(node: BenchNode, book: SampleBook): Promise<void> {
  for (let burst = 0; burst <= BURSTS; burst++) {
    for (const contender of ["burst-empty", "burst-floor", "burst", "burst-rpc"]) {
      await rest();
      await forgetPeak(node.agent);
      const samples = await node.measure(contender);
      if (burst === 0) continue;
      for (const [name, value] of Object.entries(samples)) book.add(name, value);
      if (contender === "burst") book.add("burst-memory", await peakMiB(node.agent));
    }
  }
}

/** Names end in `.warm` for what there is after WARM_PAIRS, and in nothing for the end. */
export async function measurePairs(node: BenchNode, book: SampleBook): Promise<void> {
  const pod = await node.createPod("pairs", FEW_ADDRESSES);
  for (let pairs = PAIRS_PER_RUN; pairs <= PAIRS; pairs += PAIRS_PER_RUN) {
    const { pair } = await node.measure("burst-pairs", pod);
    if (pair !== undefined) book.add("pair", pair);
    if (pairs === WARM_PAIRS) await takeStock(node, { book, suffix: ".warm" });
  }
  await takeStock(node, { book, suffix: "" });
}

async function takeStock(
  { agent }: BenchNode,
  { book, suffix }: { book: SampleBook; suffix: string },
): Promise<void> {
  for (let rests = 0; rests < RESTS_UNTIL_CLOSED; rests++) await rest();
  book.add(`pairs-files${suffix}`, await fewestOpenFiles(agent));
  book.add(`pairs-memory${suffix}`, await residentMiB(agent));
  book.add(`pairs-zombies${suffix}`, await zombies(agent));
}

/** What it reads or writes at the moment is open for a moment: a leak is what is always there. */
async function fewestOpenFiles(agent: BenchNode["agent"]): Promise<number> {
  const counts: number[] = [];
  for (let look = 0; look < LOOKS; look++) {
    counts.push(openFiles(agent));
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return Math.min(...counts);
}

/** The agent is killed, as by a crash, and starts anew: with what it wrote down, or without. */
export async function measureStarts(
  node: BenchNode,
  { book, name, forget }: { book: SampleBook; name: string; forget: boolean },
): Promise<void> {
  for (let start = 0; start < STARTS; start++) {
    await rest();
    book.add(name, await node.restart({ forget }));
  }
}

async function rest(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
}
