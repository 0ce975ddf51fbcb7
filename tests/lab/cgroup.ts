/** A cgroup of a lab with limits of its own, under either version of the kernel's interface. It goes with the lab. */
import { cgroupOf } from "./census.ts";
import { exists } from "./until.ts";

export interface Limits {
  readonly memoryBytes: number;
  /** Processors, 0.5 for half of one. */
  readonly cpus: number;
}

export interface Cgroup {
  /** Files to which a process writes `0` to come in. */
  readonly doors: readonly string[];
  /** @returns the most memory that was ever charged, in bytes */
  peakBytes(): Promise<number>;
  /** @returns how often a process was killed for want of memory */
  kills(): Promise<number>;
  /** Lifts the limit of processors. */
  freeCpu(): Promise<void>;
}

const ROOT = "/sys/fs/cgroup";
const PERIOD_US = 100_000;

/** Makes the group. @throws when the kernel lets nobody limit memory and processors here, and says why */
export async function createCgroup(labId: string, { memoryBytes, cpus }: Limits): Promise<Cgroup> {
  const quota = String(cpus * PERIOD_US);
  return await exists(`${ROOT}/cgroup.controllers`)
    ? await createUnified(labId, { memory: String(memoryBytes), quota })
    : await createLegacy(labId, { memory: String(memoryBytes), quota });
}

interface Texts {
  readonly memory: string;
  readonly quota: string;
}

async function createUnified(labId: string, { memory, quota }: Texts): Promise<Cgroup> {
  const parent = `${ROOT}${cgroupOf(labId)}`;
  const group = `${parent}/agent`;
  await Deno.mkdir(parent, { recursive: true });
  for (const above of [ROOT, parent]) await write(`${above}/cgroup.subtree_control`, "+memory +cpu");
  await Deno.mkdir(group, { recursive: true });
  await write(`${group}/memory.max`, memory);
  await write(`${group}/cpu.max`, `${quota} ${PERIOD_US}`);
  return {
    doors: [`${group}/cgroup.procs`],
    peakBytes: () => readNumber(`${group}/memory.peak`, /(\d+)/),
    kills: () => readNumber(`${group}/memory.events`, /oom_kill (\d+)/),
    freeCpu: () => write(`${group}/cpu.max`, `max ${PERIOD_US}`),
  };
}

async function createLegacy(labId: string, { memory, quota }: Texts): Promise<Cgroup> {
  const [inMemory, inCpu] = ["memory", "cpu"].map((name) => `${ROOT}/${name}${cgroupOf(labId)}/agent`);
  for (const group of [inMemory, inCpu]) await Deno.mkdir(`${group}`, { recursive: true });
  await write(`${inMemory}/memory.limit_in_bytes`, memory);
  await write(`${inCpu}/cpu.cfs_period_us`, String(PERIOD_US));
  await write(`${inCpu}/cpu.cfs_quota_us`, quota);
  return {
    doors: [`${inMemory}/cgroup.procs`, `${inCpu}/cgroup.procs`],
    peakBytes: () => readNumber(`${inMemory}/memory.max_usage_in_bytes`, /(\d+)/),
    kills: () => readNumber(`${inMemory}/memory.oom_control`, /oom_kill (\d+)/),
    freeCpu: () => write(`${inCpu}/cpu.cfs_quota_us`, "-1"),
  };
}

async function write(file: string, text: string): Promise<void> {
  try {
    await Deno.writeTextFile(file, text, { create: false });
  } catch (error) {
    throw new Error(`Cannot limit a cgroup by ${file}: the kernel refuses "${text}"`, { cause: error });
  }
}

async function readNumber(file: string, pattern: RegExp): Promise<number> {
  return Number(pattern.exec(await Deno.readTextFile(file))?.[1]);
}
