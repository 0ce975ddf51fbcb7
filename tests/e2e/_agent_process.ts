/** What an agent's process holds, as /proc shows it. */
import type { Daemon } from "../lab/process.ts";

export interface Holdings {
  /** Open file descriptors. */
  readonly files: number;
  /** Resident memory, bytes. */
  readonly resident: number;
  /** Children that have ended and that nobody has reaped. */
  readonly zombies: number;
}

export async function holdingsOf({ pid }: Daemon): Promise<Holdings> {
  const files = (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(await Deno.readTextFile(`/proc/${pid}/status`)) ?? [];
  const states = await Promise.all((await childrenOf(pid)).map(stateOf));
  return { files, resident: 1024 * Number(kilobytes), zombies: states.filter((state) => state === "Z").length };
}

/** Looks as often as it can. @returns how many children there were at most until the work was done */
export async function mostChildrenDuring({ pid }: Daemon, work: Promise<unknown>): Promise<number> {
  let [most, done] = [0, false];
  const end = work.finally(() => (done = true)).catch(() => {});
  while (!done) {
    most = Math.max(most, (await childrenOf(pid)).length);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await end;
  return most;
}

/** A child is listed under the thread that made it. */
async function childrenOf(pid: number): Promise<number[]> {
  const threads = await Array.fromAsync(Deno.readDir(`/proc/${pid}/task`));
  const lists = threads.map(({ name }) => Deno.readTextFile(`/proc/${pid}/task/${name}/children`).catch(() => ""));
  return (await Promise.all(lists)).join(" ").split(" ").filter((word) => word !== "").map(Number);
}

async function stateOf(pid: number): Promise<string> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
}
