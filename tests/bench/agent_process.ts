/** What the kernel says of the agent's process. Read from outside its node. */
import type { Daemon } from "../lab/process.ts";

/** @returns resident memory in MiB */
export async function residentMiB(agent: Daemon): Promise<number> {
  return await readMiB(agent, "VmRSS");
}

/** Forgets the peak of resident memory so far. */
export async function forgetPeak({ pid }: Daemon): Promise<void> {
  await Deno.writeTextFile(`/proc/${pid}/clear_refs`, "5"); // proc(5)
}

/** @returns the peak of resident memory since `forgetPeak`, in MiB */
export async function peakMiB(agent: Daemon): Promise<number> {
  return await readMiB(agent, "VmHWM");
}

/** @returns how many file descriptors it has open */
export function openFiles({ pid }: Daemon): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** @returns how many of its children have ended without being waited for */
export async function zombies({ pid }: Daemon): Promise<number> {
  const children = (await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`)).match(/\d+/g) ?? [];
  const stats = await Promise.all(children.map((child) => Deno.readTextFile(`/proc/${child}/stat`).catch(() => "")));
  return stats.filter((stat) => /\) Z /.test(stat)).length;
}

/** Of utime and stime in /proc/PID/stat: USER_HZ, which is 100 on every Linux that Deno runs on (time(7)). */
const MS_PER_TICK = 10;

/** @returns processor time that it has used since its start, in milliseconds; its children's is not part of it */
export async function usedCpuMs({ pid }: Daemon): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const [, , , , , , , , , , , utime, stime] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(utime) + Number(stime);
  if (!Number.isInteger(ticks)) throw new Error(`Cannot read the agent's processor time: ${stat}`);
  return ticks * MS_PER_TICK;
}

async function readMiB({ pid }: Daemon, field: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const kib = Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
  if (!(kib > 0)) throw new Error(`Cannot read the agent's memory: ${status.slice(0, 200)}`);
  return kib / 1024;
}
