import type { Clock } from "../clock/clock.ts";
import { quote } from "../fault/invalid_input.ts";
import type { BirdReply } from "./bird_reply.ts";
import { Connection } from "./_connection.ts";

/** A client of BIRD's control socket: what `birdc` does, without a process (1.4 ms less, facts). */
export interface BirdControl {
  /**
   * Asks one question; questions queue. The connection is made when there is none and kept afterwards.
   *
   * @returns BIRD's answer, whatever its code
   * @throws when BIRD does not answer in time or goes away; the next question connects anew
   */
  ask(command: string): Promise<BirdReply>;
  /** Names the connection that stands; another number later: BIRD may have been restarted meanwhile. Undefined: none stands. */
  connection(): number | undefined;
  /** Idempotent. A later question connects anew. */
  close(): void;
}

export interface BirdControlOptions {
  readonly path: string;
  readonly clock: Clock;
  /** For one question, connecting included, in milliseconds. Default 2000. */
  readonly timeoutMs?: number;
}

/** @returns a client; it connects with the first question */
export function createBirdControl({ path, clock, timeoutMs = 2000 }: BirdControlOptions): BirdControl {
  let connection: Connection | undefined;
  let serial = 0;
  let last: Promise<unknown> = Promise.resolve();

  const connected = async (signal: AbortSignal): Promise<Connection> => {
    if (connection?.isOpen) return connection;
    connection = await Connection.open(path, signal);
    serial++;
    return connection;
  };
  const ask = async (command: string): Promise<BirdReply> => {
    using deadline = deadlineAfter(timeoutMs, clock);
    try {
      const open = await connected(deadline.signal);
      return await open.ask(command, deadline.signal);
    } catch (cause) {
      const state = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Cannot ask BIRD ${quote(command)}: ${state}`, { cause });
    }
  };
  return {
    ask: (command) => {
      const answer = last.then(() => ask(command));
      last = answer.catch(() => {});
      return answer;
    },
    connection: () => connection?.isOpen ? serial : undefined,
    close: () => connection?.close(),
  };
}

/** @returns a signal that aborts after so many milliseconds, unless it is disposed of before */
function deadlineAfter(timeoutMs: number, clock: Clock): Disposable & { readonly signal: AbortSignal } {
  const [deadline, done] = [new AbortController(), new AbortController()];
  const expire = (): void => deadline.abort(new Error(`no answer within ${timeoutMs} ms`));
  clock.sleep(timeoutMs, done.signal).then(expire, () => {});
  return { signal: deadline.signal, [Symbol.dispose]: () => done.abort() };
}
