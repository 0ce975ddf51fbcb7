/**
 * One HTTP request to the API server, with the credentials of the moment.
 *
 * Configuration, authentication and TLS are the Kubernetes client's; the request itself goes through undici, as the client's own `Watch` does.
 * Not through `Watch`: it drops lines that do not parse and cannot be told from a clean end. Not through the generated
 * API classes: they keep whole objects (5.4 KB a pod against 0.2). Not through Deno's fetch, which is about 8 MB lighter: it
 * has no time-out for connecting, so a black hole would hold a list for its whole minute, and it cannot skip or rename the
 * verification of a certificate where a kubeconfig asks for that.
 */
import "./_sealed_environment.ts";
import { Agent, request } from "undici";
import type { Clock } from "../clock/clock.ts";
import { quote } from "../fault/invalid_input.ts";
import type { Connection, Credentials } from "./connection.ts";
import { KubeError } from "./kube_client.ts";

const CONNECT_TIMEOUT_MS = 10_000;
/** Below the minute after which load balancers forget an idle connection. */
const KEEP_ALIVE_DELAY_MS = 30_000;
/** A Status object says what is wrong in far less. */
const MAX_ERROR_BODY = 64 * 1024;

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PATCH";
  /** With its query. */
  readonly path: string;
  readonly body?: { readonly type: string; readonly text: string };
  /** Ends the request, and the body that is still being read. */
  readonly signal: AbortSignal;
}

/** Not now, and for how long not. */
export class RetryLater extends KubeError {
  constructor(message: string, status: number | undefined, readonly afterMs: number) {
    super(message, status);
  }
}

export interface Transport {
  /**
   * Sends a request; a 401 is tried once more with files read anew.
   *
   * @returns the body of a 2xx answer, as it arrives
   * @throws KubeError for any other answer and for none
   */
  send(request: ApiRequest): Promise<AsyncIterable<Uint8Array>>;
  /** Cuts every connection. */
  close(): Promise<void>;
}

/** @param clock for `Retry-After` as a date. */
export function createTransport(connection: Connection, clock: Clock): Transport {
  const pool = new ConnectionPool();
  const attempt = async (wanted: ApiRequest): Promise<AsyncIterable<Uint8Array>> => {
    const { headers, tls } = await connection.credentials();
    const answer = request(connection.server + wanted.path, {
      dispatcher: pool.get(tls),
      method: wanted.method,
      headers: { ...headers, Accept: "application/json", "User-Agent": "flock", ...contentType(wanted) },
      body: wanted.body?.text ?? null,
      signal: wanted.signal,
    });
    const { statusCode, headers: answered, body } = await Promise.race([answer, fall(wanted.signal)]);
    if (statusCode >= 200 && statusCode < 300) return body;
    const wait = retryAfter(answered["retry-after"], clock);
    throw refusal(wanted, { status: statusCode, text: await readText(body, MAX_ERROR_BODY), wait });
  };
  const send = async (wanted: ApiRequest): Promise<AsyncIterable<Uint8Array>> => {
    try {
      return await attempt(wanted);
    } catch (error) {
      throw error instanceof KubeError ? error : noAnswer(wanted, error);
    }
  };
  return {
    async send(wanted): Promise<AsyncIterable<Uint8Array>> {
      try {
        return await send(wanted);
      } catch (error) {
        const status = error instanceof KubeError ? error.status : undefined;
        // No answer may mean an authority that has changed: a kubeconfig that holds it is worth another look.
        if (status === undefined || status === 401 || status === 403) connection.forget();
        if (status !== 401) throw error;
        return await send(wanted);
      }
    },
    close: () => pool.close(),
  };
}

/** @returns the whole text. @throws when it is longer than `limit` bytes */
export async function readText(body: AsyncIterable<Uint8Array>, limit: number): Promise<string> {
  const decoder = new TextDecoder();
  let [text, size] = ["", 0];
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw new Error(`an answer of more than ${limit} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** @returns the error for a request that got no whole answer */
export function noAnswer({ method, path }: Pick<ApiRequest, "method" | "path">, cause: unknown): KubeError {
  const state = cause instanceof Error ? cause.message : String(cause);
  return new KubeError(`Cannot ${method} ${quote(pathOf(path))}: no answer, ${state}`, undefined, { cause });
}

/**
 * undici hears a signal only once it has a connection: a server that takes one and says no word of TLS, as a frozen one does, would
 * hold a request of three seconds for CONNECT_TIMEOUT_MS.
 *
 * @returns a promise that rejects when the signal falls
 */
function fall(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return promise;
}

/** Connections that share one TLS set-up; a rotated authority or client certificate makes a new pool. */
class ConnectionPool {
  #agent: Agent | undefined;
  #key = "";

  get(tls: Credentials["tls"]): Agent {
    const key = JSON.stringify(tls);
    if (this.#agent !== undefined && key === this.#key) return this.#agent;
    this.#agent?.close();
    this.#key = key;
    // HTTP/1.1 only: over HTTP/2 all requests share one connection, and a half-open one takes the retries down with it
    // (kubernetes/kubernetes#87615). Time-outs of headers and body are the callers', on their clock.
    return this.#agent = new Agent({
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { ...tls, timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS },
    });
  }

  async close(): Promise<void> {
    await this.#agent?.destroy();
    this.#agent = undefined;
  }
}

function contentType({ body }: ApiRequest): Record<string, string> {
  return body === undefined ? {} : { "Content-Type": body.type };
}

function refusal(wanted: ApiRequest, answer: { status: number; text: string; wait: number | undefined }): KubeError {
  const { status, text, wait } = answer;
  const message = `Cannot ${wanted.method} ${quote(pathOf(wanted.path))}: ${status}, ${quote(statusMessage(text))}`;
  return wait === undefined ? new KubeError(message, status) : new RetryLater(message, status, wait);
}

function statusMessage(text: string): string {
  try {
    const status: unknown = JSON.parse(text);
    if (typeof status === "object" && status !== null && "message" in status) return String(status.message);
  } catch {
    // No Status: a proxy's page, say.
  }
  return text;
}

// RFC 9110 section 10.2.3: seconds or a date.
function retryAfter(header: string | string[] | undefined, clock: Clock): number | undefined {
  if (typeof header !== "string") return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - clock.wall());
}

function pathOf(path: string): string {
  return path.replace(/\?.*$/s, "");
}
