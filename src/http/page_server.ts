import type { Logger } from "../log/logger.ts";

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
}

/** Serves a few pages that may only be read, without encryption and to anybody who can reach the endpoints. */
export class PageServer {
  // "hostname port" -> its server
  readonly #servers = new Map<string, Deno.HttpServer>();

  constructor(private readonly options: PageServerOptions) {}

  /**
   * Listens at these endpoints and at no other.
   *
   * @throws naming those where it cannot; it listens at the others then
   */
  listenAt(endpoints: readonly Endpoint[]): Promise<void> {
    const wanted = new Map(endpoints.map((each) => [keyOf(each), each]));
    for (const [key, server] of this.#servers) if (!wanted.has(key)) this.#close(key, server);
    const failures = [...wanted].flatMap(([key, each]) => this.#servers.has(key) ? [] : this.#open(key, each));
    if (failures.length === 0) return Promise.resolve();
    return Promise.reject(new Error(`Cannot listen for HTTP: ${failures.join("; ")}`));
  }

  /** Listens nowhere any more. Requests under way are answered still, if anybody waits for that. */
  stop(): void {
    for (const [key, server] of this.#servers) this.#close(key, server);
  }

  #open(key: string, { hostname, port }: Endpoint): string[] {
    try {
      const server = Deno.serve({ hostname, port, onListen: () => {} }, (request) => this.#answer(request));
      this.#servers.set(key, server);
      return [];
    } catch (error) {
      return [`${key}: ${error instanceof Error ? error.message : String(error)}`];
    }
  }

  #close(key: string, server: Deno.HttpServer): void {
    this.#servers.delete(key);
    void server.shutdown().catch(() => {});
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (request.method !== "GET" && request.method !== "HEAD") return respond({ status: 405, text: "only GET\n" });
    const page = Object.hasOwn(this.options.pages, pathname) ? this.options.pages[pathname] : undefined;
    if (page === undefined) return respond({ status: 404, text: "not found\n" });
    try {
      return respond(await page(searchParams));
    } catch (error) {
      this.options.logger.error("page not made", { path: pathname, error: String(error) });
      return respond({ status: 500, text: "cannot say\n" });
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

function respond({ status, contentType = "text/plain; charset=utf-8", text }: Page): Response {
  const headers = { "Content-Type": contentType, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store" };
  return new Response(text, { status, headers });
}

function keyOf({ hostname, port }: Endpoint): string {
  return `${hostname} port ${port}`;
}
