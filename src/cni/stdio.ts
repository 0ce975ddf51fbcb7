/** Standard input and output of the process. Every VERSION loads this, so it imports nothing. */

const PEEK_BYTES = 65_536;
/**
 * Turns of the event loop (writes of nothing) for which a peek waits before it arms a timer, which loads Deno's events and takes
 * 0.5 ms: a runtime has written and closed standard input long before.
 */
const PEEK_TURNS = 20;
const NOTHING = new Uint8Array(0);
const PIPE_BUF_BYTES = 4096;
/** How long to leave a full pipe to its reader before the next try. */
const FULL_PIPE_MS = 1;

/** @returns what standard input holds, or held after `ms` milliseconds when it stays open; at most 64 KiB. Never fails. */
export async function peekStdin(ms: number): Promise<Uint8Array> {
  const chunk = new Uint8Array(PEEK_BYTES);
  let size = 0;
  const read = async (): Promise<void> => {
    while (size < chunk.length) {
      const count = await Deno.stdin.read(chunk.subarray(size));
      if (count === null) return;
      size += count;
    }
  };
  let ended = false;
  const end = read().catch(() => undefined).then(() => (ended = true));
  for (let turn = 0; turn < PEEK_TURNS && !ended; turn++) await Deno.stdout.write(NOTHING);
  if (!ended) await Promise.race([end, sleep(ms)]);
  return chunk.subarray(0, size);
}

let printed = false;

/** Writes to standard output, all of it. */
export function print(text: string): void {
  printed = true;
  let rest: Uint8Array = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(writeSome(rest));
}

/**
 * A pipe that somebody has set to non-blocking is full after 64 KiB until its reader takes some. Deno writes all or throws, and does not
 * tell how much went out before it threw; so little at once goes out whole or not at all (POSIX, write()).
 */
function writeSome(bytes: Uint8Array): number {
  try {
    return Deno.stdout.writeSync(bytes.subarray(0, PIPE_BUF_BYTES));
  } catch (error) {
    if (!(error instanceof Deno.errors.WouldBlock)) throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_MS);
    return 0;
  }
}

/** @returns whether `print` was called */
export function hasPrinted(): boolean {
  return printed;
}

/** By AbortSignal, because the first `setTimeout` of a process loads Deno's Node timers, and those take 15 ms. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => AbortSignal.timeout(ms).addEventListener("abort", () => resolve()));
}
