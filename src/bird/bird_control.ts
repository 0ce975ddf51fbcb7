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
  /** For connecting and for each answer, in milliseconds. Default 2000. */
  readonly timeoutMs?: number;
}

/** @returns a client; it connects with the first question */
export function createBirdControl({ path, clock, timeoutMs = 2000 }: BirdControlOptions): BirdControl {
  let connection: Connection | undefined;
  let serial = 0;
  let last: Promise<unknown> = Promise.resolve();

  const connect = async (): Promise<Connection> => {
    if (connection?.isOpen) return connection;
    const opened = Connection.open(path);
    connection = await withDeadline(opened, { clock, timeoutMs, late: closeWhenOpen(opened) });
    serial++;
    return connection;
  };
  const ask = async (command: string): Promise<BirdReply> => {
    try {
      const open = await connect();
      // An answer that comes late would be taken for that of the next question.
      return await withDeadline(open.ask(command), { clock, timeoutMs, late: () => open.close() });
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

/** Lets go of a connection whose greeting comes after nobody waits any more. */
function closeWhenOpen(opened: Promise<Connection>): () => void {
  return () => void opened.then((connection) => connection.close(), () => {});
}

async function withDeadline<T>(
  work: Promise<T>,
  { clock, timeoutMs, late }: { clock: Clock; timeoutMs: number; late: () => void },
): Promise<T> {
  const done = new AbortController();
  const deadline = clock.sleep(timeoutMs, done.signal).then(() => {
    late();
    throw new Error(`no answer within ${timeoutMs} ms`);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    deadline.catch(() => {});
    work.catch(() => {});
    done.abort();
  }
}
