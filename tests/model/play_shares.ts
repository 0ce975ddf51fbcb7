import type { Share } from "./_worker.ts";
import type { Verdict } from "./run_schedules.ts";

/** How many threads share the schedules. */
export const THREADS = 2;

/** Plays so many schedules on the kernel in memory, on several threads. @returns what became of each share */
export function playShares({ schedules, seed }: { schedules: number; seed: number }): Promise<Verdict[]> {
  const share = Math.ceil(schedules / THREADS);
  return Promise.all(
    Array.from({ length: THREADS }, (_, thread) => playShare({ schedules: share, seed: seed + thread })),
  );
}

async function playShare(share: Share): Promise<Verdict> {
  const worker = new Worker(new URL("./_worker.ts", import.meta.url), { type: "module" });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<Verdict>();
    worker.addEventListener("message", (event: MessageEvent<Verdict>) => resolve(event.data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      reject(new Error(`Cannot play schedules: ${event.message}`));
    });
    worker.postMessage(share);
    return await promise;
  } finally {
    worker.terminate();
  }
}
