import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import type { Logger } from "../log/logger.ts";
import { MAX_REQUEST_BYTES, type RpcResponse } from "../rpc/rpc.ts";

/**
 * A client has this long to begin its request, in milliseconds. The plugin connects before it reads its configuration: among 110 that a
 * returning node starts at once on a busy machine, seconds go by in between, and whoever is cut off then fails for nothing.
 */
const START_TIMEOUT_MS = 30_000;
/** And this long for the rest of it. */
const REQUEST_TIMEOUT_MS = 5_000;
/** And this long to take the answer. */
const ANSWER_TIMEOUT_MS = 5_000;
/** Milliseconds until the next try when a connection cannot be accepted, for want of file descriptors for instance. */
const ACCEPT_RETRY_MS = 500;
/** Of more connections than this at once the one that has been silent longest goes; where none is silent, they wait in the backlog. */
const MAX_CONNECTIONS = 512;

export interface RpcServerOptions {
  readonly listener: Pick<Deno.Listener<Deno.UnixConn>, "accept" | "close">;
  /** Answers one request, whose line had so many characters; what it throws becomes an error answer. */
  handle(request: unknown, length: number): Promise<unknown>;
  readonly logger: Logger;
  /** How long a client has to begin its request, in milliseconds. Default 30 000. */
  readonly startTimeoutMs?: number;
  /** And for the rest of it. Default 5000. */
  readonly requestTimeoutMs?: number;
  /** How long a client has to take its answer, in milliseconds. Default 5000. */
  readonly answerTimeoutMs?: number;
}

/** Serves newline-delimited JSON, one request and one response per connection. A slow or silent client harms nobody else. */
export class RpcServer {
  readonly #open = new Set<Promise<void>>();
  /** Connections that have not begun a request, the oldest first. */
  readonly #silent = new Set<Deno.UnixConn>();

  constructor(private readonly options: RpcServerOptions) {}

  /** Accepts until `stop` is called; resolves then. */
  async serve(): Promise<void> {
    for (let connection = await this.#accept(); connection !== undefined; connection = await this.#accept()) {
      const served: Promise<void> = this.#serve(connection).finally(() => this.#open.delete(served));
      this.#open.add(served);
      if (this.#open.size >= MAX_CONNECTIONS) await this.#makeRoom();
    }
  }

  /** Accepts nothing more and waits for the requests under way. */
  async stop(): Promise<void> {
    this.options.listener.close();
    await Promise.all(this.#open);
  }

  async #makeRoom(): Promise<void> {
    const [oldest] = this.#silent;
    if (oldest !== undefined) closeQuietly(oldest);
    await Promise.race(this.#open);
  }

  /** Survives what passes, such as EMFILE. @returns undefined when the listener is closed */
  async #accept(): Promise<Deno.UnixConn | undefined> {
    for (;;) {
      try {
        return await this.options.listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return undefined;
        this.options.logger.error("connection not accepted", { error: String(error) });
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  async #serve(connection: Deno.UnixConn): Promise<void> {
    try {
      const line = await this.#readLine(connection);
      if (line === undefined) return;
      await this.#writeAll(connection, `${JSON.stringify(await this.#answer(line))}\n`);
    } catch (error) {
      this.options.logger.debug("connection lost", { error: String(error) });
    } finally {
      closeQuietly(connection);
    }
  }

  async #answer(line: string): Promise<RpcResponse> {
    try {
      const result = await this.options.handle(parseLine(line), line.length);
      return result === undefined ? { ok: true } : { ok: true, result };
    } catch (error) {
      if (error instanceof CniError) {
        return { ok: false, code: error.code, msg: error.message, details: error.details };
      }
      this.options.logger.error("request failed", {
        error: error instanceof Error ? error.stack ?? error.message : String(error),
      });
      return { ok: false, code: CNI_CODE.internal, msg: `Cannot answer the request: ${String(error)}`, details: "" };
    }
  }

  /** @returns one line without its newline; undefined when the client went away without one */
  async #readLine(connection: Deno.UnixConn): Promise<string | undefined> {
    const { startTimeoutMs = START_TIMEOUT_MS, requestTimeoutMs = REQUEST_TIMEOUT_MS } = this.options;
    const buffer = new Uint8Array(16_384);
    this.#silent.add(connection);
    const first = await within(startTimeoutMs, { connection, work: () => connection.read(buffer) })
      .finally(() => this.#silent.delete(connection));
    return await within(requestTimeoutMs, { connection, work: () => readOn(connection, { buffer, first }) });
  }

  async #writeAll(connection: Deno.UnixConn, text: string): Promise<void> {
    const { answerTimeoutMs = ANSWER_TIMEOUT_MS } = this.options;
    const write = async (): Promise<void> => {
      let rest = new TextEncoder().encode(text);
      while (rest.length > 0) rest = rest.subarray(await connection.write(rest));
    };
    await within(answerTimeoutMs, { connection, work: write });
  }
}

/** Hangs up when the work takes longer than so many milliseconds, which ends the work. */
async function within<T>(
  ms: number,
  { connection, work }: { connection: Deno.UnixConn; work: () => Promise<T> },
): Promise<T> {
  const deadline = setTimeout(() => closeQuietly(connection), ms);
  try {
    return await work();
  } finally {
    clearTimeout(deadline);
  }
}

/** Goes on after the first read. @param from the buffer, and how much of it that one has filled; null: the client went away */
async function readOn(
  connection: Deno.UnixConn,
  { buffer, first }: { buffer: Uint8Array<ArrayBuffer>; first: number | null },
): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = "";
  for (let count = first; text.length <= MAX_REQUEST_BYTES; count = await connection.read(buffer)) {
    if (count === null) return undefined;
    const more = decoder.decode(buffer.subarray(0, count), { stream: true });
    const end = more.indexOf("\n"); // not in the whole: that would copy it once for every piece
    if (end >= 0) return text + more.slice(0, end);
    text += more;
  }
  throw new Error(`Cannot read request: longer than ${MAX_REQUEST_BYTES} bytes`);
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new CniError(CNI_CODE.decodeFailure, "Cannot decode request: not JSON", { cause: error });
  }
}

/** The time-out, the client and the end of an answer may each close it first. */
function closeQuietly(connection: Deno.UnixConn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
