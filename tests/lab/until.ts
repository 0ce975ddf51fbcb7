export interface UntilOptions {
  /** Default 30 000: patience for a machine that others use as well; a test of how long something takes measures it, or names its own. */
  readonly timeoutMs?: number;
  /** Between two looks. Default 20. */
  readonly everyMs?: number;
}

/** Thrown by a look that can never succeed: ends the wait at once. */
export class GaveUp extends Error {
  override readonly name = "GaveUp";
}

type NotYet = false | null | undefined;

/**
 * Looks until something is so.
 *
 * @param what a clause for the error: `the router has 203.0.113.0/26`
 * @param look anything but false, null and undefined is the answer
 * @returns what look returned
 * @throws when it is still not so after the time-out, with look's last error as cause; at once what is GaveUp
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | NotYet> | T | NotYet,
  { timeoutMs = 30_000, everyMs = 20 }: UntilOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      const found = await look();
      if (found !== false && found !== null && found !== undefined) return found;
    } catch (error) {
      if (error instanceof GaveUp) throw error;
      cause = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`Cannot wait until ${what}: not so after ${timeoutMs} ms`, { cause });
    }
    await pause(everyMs);
  }
}

/** Lets time pass: for what must not happen in it, or takes so long to measure. Whoever waits for something asks `until`. */
export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Says whether there is anything at the path. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
