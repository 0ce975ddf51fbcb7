import type { Logger } from "../log/logger.ts";
import { readHead, renderResponse, type RequestHead, writeAll } from "./_http.ts";

export interface Page {
  /** HTTP's. */
  readonly status: number;
  /** Default: plain text. */
  readonly contentType?: string;
  readonly text: string;
}

/** Path -> what it shows. */
export type Pages = Readonly<Record<string, (query: URLSearchParams) => Promise<Page>>>;

/** Where to listen. */
export interface Endpoint {
  /** An IP address, without brackets. */
  readonly hostname: string;
  readonly port: number;
}

export interface PageServerOptions {
  readonly pages: Pages;
  readonly logger: Logger;
  /** How long a client has to ask, and again to take the answer, in milliseconds. Default 5000. */
  readonly patienceMs?: number;
  /** Most connections of one endpoint; whoever comes on top is hung up on. Default 32. */
  readonly maxConnections?: number;
}

const PATIENCE_MS = 5_000;
const MAX_CONNECTIONS = 32;

/**
 * Serves a few pages that may only be read, without encryption and to anybody who can reach the endpoints: pods among them, which
 * must not come to hold all of the agent's file descriptors. Hence the limits, which Deno's own server does not have. HTTP/1, one
 * request a connection.
 */
export class PageServer {
  // "hostname port" -> who listens there
  readonly #listeners = new Map<string, Deno.TcpListener>();

  constructor(private readonly options: PageServerOptions) {}

  /**
   * Listens at these endpoints and at no other.
   *
   * @throws naming those where it cannot; it listens at the others then
   */
  listenAt(endpoints: readonly Endpoint[]): Promise<void> {
    const wanted = new Map(endpoints.map((each) => [keyOf(each), each]));
    for (const [key, listener] of this.#listeners) if (!wanted.has(key)) this.#close(key, listener);
    const failures = [...wanted].flatMap(([key, each]) => this.#listeners.has(key) ? [] : this.#open(key, each));
    if (failures.length === 0) return Promise.resolve();
    return Promise.reject(new Error(`Cannot listen for HTTP: ${failures.join("; ")}`));
  }

  /** Listens nowhere any more. Requests under way are answered still, if anybody waits for that. */
  stop(): void {
    for (const [key, listener] of this.#listeners) this.#close(key, listener);
  }

  #open(key: string, { hostname, port }: Endpoint): string[] {
    try {
      const listener = Deno.listen({ hostname, port });
      this.#listeners.set(key, listener);
      void this.#serve(listener).finally(() => this.#close(key, listener)); // one that failed is opened anew by the next call
      return [];
    } catch (error) {
      return [`${key}: ${error instanceof Error ? error.message : String(error)}`];
    }
  }

  #close(key: string, listener: Deno.TcpListener): void {
    if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
    closeQuietly(listener);
  }

  /** Resolves when the listener is closed, or fails. */
  async #serve(listener: Deno.TcpListener): Promise<void> {
    let open = 0;
    const { maxConnections = MAX_CONNECTIONS } = this.options;
    for (;;) {
      const connection = await listener.accept().catch(() => undefined);
      if (connection === undefined) return;
      if (open >= maxConnections) closeQuietly(connection);
      else {
        open++;
        void this.#converse(connection).finally(() => open--);
      }
    }
  }

  /** Never throws. */
  async #converse(connection: Deno.TcpConn): Promise<void> {
    const { patienceMs = PATIENCE_MS } = this.options;
    const within = async <T>(work: () => Promise<T>): Promise<T> => {
      const deadline = setTimeout(() => closeQuietly(connection), patienceMs);
      return await work().finally(() => clearTimeout(deadline));
    };
    try {
      const head = await within(() => readHead(connection));
      if (head === undefined) return;
      const response = renderResponse(await this.#answer(head), head);
      await within(() => writeAll(connection, response));
    } catch {
      // the client went away, or was too slow
    } finally {
      closeQuietly(connection);
    }
  }

  async #answer({ method, target }: RequestHead): Promise<Page> {
    if (method !== "GET" && method !== "HEAD") return { status: 405, text: "only GET\n" };
    const [path = "", query = ""] = target.split("?", 2);
    const page = Object.hasOwn(this.options.pages, path) ? this.options.pages[path] : undefined;
    if (page === undefined) return { status: 404, text: "not found\n" };
    try {
      return await page(new URLSearchParams(query));
    } catch (error) {
      this.options.logger.error("page not made", { path, error: String(error) });
      return { status: 500, text: "cannot say\n" };
    }
  }
}

/** Whoever asks while it is being made gets the same one: many readers cost no more than one. */
export function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let making: Promise<T> | undefined = undefined;
  return () => {
    making ??= make().finally(() => {
      making = undefined;
    });
    return making;
  };
}

function keyOf({ hostname, port }: Endpoint): string {
  return `${hostname} port ${port}`;
}

function closeQuietly(resource: { close(): void }): void {
  try {
    resource.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
