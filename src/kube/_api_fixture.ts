/** For the tests of this folder: an API server that says what the test wrote, and a clock that stands still until moved. */
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { Connection } from "./connection.ts";

/** The collection that is followed. */
export const PODS = "/api/v1/pods";

/** What arrived. */
export interface Heard {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Headers;
  readonly body: string;
}

export type Answer = (heard: Heard) => Response | Promise<Response>;

/** Plain HTTP on loopback. Lists and watches are answered by the scripts in turn, the last one again and again. */
export class ScriptedApi {
  readonly heard: Heard[] = [];
  lists: Answer[] = [];
  watches: Answer[] = [];
  other: Answer = () => new Response("{}");
  /** No answer, as long as the server lives: the request is lost on the way. */
  readonly swallow: Answer = () => this.#closing.promise.then(() => new Response(""));
  readonly #closing = Promise.withResolvers<void>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    const options = { hostname: "127.0.0.1", port: 0, onListen: (): void => {} };
    this.#server = Deno.serve(options, (request) => this.#answer(request));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** @returns the watches asked for so far */
  watchQueries(): Heard["query"][] {
    return this.heard.filter(({ query }) => query["watch"] === "true").map(({ query }) => query);
  }

  /** @returns the lists asked for so far */
  listQueries(): Heard["query"][] {
    return this.heard.filter(isList).map(({ query }) => query);
  }

  async close(): Promise<void> {
    this.#closing.resolve();
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const query = Object.fromEntries(url.searchParams);
    const { method, headers } = request;
    const heard = { method, path: url.pathname, query, headers, body: await request.text() };
    this.heard.push(heard);
    return await this.#script(heard)(heard);
  }

  #script(heard: Heard): Answer {
    const scripts = heard.query["watch"] === "true" ? this.watches : isList(heard) ? this.lists : [];
    const next = scripts.length > 1 ? scripts.shift() : scripts[0];
    return next ?? this.other;
  }
}

function isList({ path, query }: Heard): boolean {
  return path === PODS && query["watch"] === undefined;
}

/** An answer that the test speaks through: a watch, or a list that comes in pieces. */
export class Stream {
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  readonly answer: Answer = () =>
    new Response(
      new ReadableStream({
        start: (controller): void => {
          this.#controller = controller;
        },
        cancel: (): void => {
          this.cancelled = true;
        },
      }),
    );

  /** The client hung up. */
  cancelled = false;

  get opened(): boolean {
    return this.#controller !== undefined;
  }

  /** Sends the events in one chunk. */
  send(...events: readonly unknown[]): void {
    this.sendText(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  }

  sendText(text: string): void {
    this.#controller?.enqueue(new TextEncoder().encode(text));
  }

  end(): void {
    this.#controller?.close();
  }
}

/** A clock that only the test moves. */
export class StillClock implements Clock {
  #now = 1_000_000;
  readonly #sleepers = new Set<{ at: number; wake: () => void }>();

  monotonic(): number {
    return this.#now;
  }

  wall(): number {
    return 1_800_000_000_000 + this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { at: this.#now + ms, wake: resolve };
    this.#sleepers.add(sleeper);
    const abort = (): void => {
      this.#sleepers.delete(sleeper);
      reject(signal?.reason);
    };
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    return promise;
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const sleeper of [...this.#sleepers].filter(({ at }) => at <= this.#now)) {
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}

/** A connection whose token the test changes: `files` is what lies on the disk, read when forgotten. */
export function tokenConnection(server: string, files: { token: string }): Connection {
  let token = files.token;
  return {
    server,
    credentials: () => Promise.resolve({ headers: { Authorization: `Bearer ${token}` }, tls: {} }),
    forget: (): void => {
      token = files.token;
    },
  };
}

const silence = (): void => {};

export const silentLogger: Logger = { debug: silence, info: silence, warn: silence, error: silence };

/** @returns a pod-like object */
export function thing(name: string, version: number): Record<string, unknown> {
  return { metadata: { name, namespace: "shop", resourceVersion: String(version) }, value: version };
}

/** @returns the answer that is a list */
export function list(items: readonly unknown[], version: number, next?: string): Answer {
  return () => Response.json({ items, metadata: { resourceVersion: String(version), continue: next ?? "" } });
}

/** @returns the answer that is a Status */
export function status(code: number, headers: Record<string, string> = {}): Answer {
  return () => Response.json({ kind: "Status", message: `scripted ${code}`, code }, { status: code, headers });
}

/** Looks every few milliseconds until it is so, for at most 5 s. */
export async function until(look: () => boolean): Promise<void> {
  for (let tries = 0; !look(); tries++) {
    if (tries > 1000) throw new Error(`Cannot see ${look}: still not so after 5 s`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
