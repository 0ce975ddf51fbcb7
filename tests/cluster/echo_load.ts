/** A thousand echo requests a second. The kernel answers them, so that on a busy machine no answer waits for a process, or is dropped for it. */
import type { Ground } from "../lab/traffic.ts";
import { until } from "../lab/until.ts";

export interface EchoReport {
  readonly sent: number;
  /** When the last answer before each loss came, in seconds since the epoch. */
  readonly lostAfter: readonly number[];
}

export interface EchoLoad {
  /** Ends it. @returns what became of all requests but those still on their way */
  stop(): Promise<EchoReport>;
}

/** Starts to ask. Resolves with the first answer. */
export async function startEchoLoad(from: Ground, address: string): Promise<EchoLoad> {
  const name = `echo-${crypto.randomUUID().slice(0, 8)}`;
  const daemon = await from.spawn(name, ["ping", "-n", "-D", "-i", "0.001", address]);
  await until(`${address} answers`, async () => parseEchoes(await daemon.readLog().catch(() => "")).sent > 0);
  return {
    stop: async () => {
      await daemon.stop("SIGINT");
      return parseEchoes(await daemon.readLog());
    },
  };
}

/** @param log of `ping -D`; what was asked before the first answer does not count, and its numbers are counted on from 65535 to 0 */
export function parseEchoes(log: string): EchoReport {
  const lostAfter: number[] = [];
  let first: number | undefined;
  let [number, last] = [0, 0];
  for (const [, at = "", text = ""] of log.matchAll(/^\[([\d.]+)\] .* icmp_seq=(\d+) /gm)) {
    if (first === undefined) first = number = Number(text);
    const step = (Number(text) - (number % 65_536) + 65_536) % 65_536;
    if (step > 32_768) continue; // a late one: it was counted as lost
    for (let missing = 1; missing < step; missing++) lostAfter.push(last);
    number += step;
    last = Number(at);
  }
  return { sent: first === undefined ? 0 : number - first + 1, lostAfter };
}
