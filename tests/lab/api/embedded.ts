/**
 * A Kubernetes API server in this process: TLS, bearer tokens, list, watch, patch, status, events, custom resources
 * checked against their structural schema. Behaves as the real one where flock can tell (`contract_test.ts` runs
 * against both).
 *
 * It does NOT: evaluate CEL rules (see `_schema.ts`), authorize (every known token may do everything), validate its
 * own kinds (pods, nodes, policies) beyond their metadata, serve tables, apply server-side, keep objects on disk.
 */
import { load } from "js-yaml";
import type { ApiFaults, ApiOptions, ApiServer, Filling } from "./api_server.ts";
import { arrange } from "./_arrange.ts";
import { failure } from "./_http.ts";
import { Rest } from "./_rest.ts";
import { StatusError } from "./_status_error.ts";

export interface EmbeddedOptions extends ApiOptions {
  /** Between two bookmarks. Default 60, as the real server. */
  readonly bookmarkSeconds?: number;
  /** Changes kept for watches. Default 1000. */
  readonly historySize?: number;
  /**
   * How a watch from a forgotten version is told: 410 as an ERROR event (default, as the real server) or as the HTTP
   * status.
   */
  readonly gone?: "event" | "http";
}

const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** What only this server can be told. */
export interface EmbeddedApi extends ApiServer {
  /** Creates or replaces objects, status and all, tens of thousands in a second. */
  fill(filling: Filling): void;
}

/** Starts the server in this process. @returns once it listens, its definitions installed */
export async function startEmbeddedApi(options: EmbeddedOptions): Promise<EmbeddedApi> {
  const { crds, credentials, clear, describe } = await arrange(options);
  const rest = new Rest({
    tokens: Object.values(credentials.tokens),
    bookmarkMs: 1000 * (options.bookmarkSeconds ?? 60),
    historySize: options.historySize ?? 1000,
    gone: options.gone ?? "event",
  });
  for (const file of crds) rest.create(DEFINITIONS, load(await Deno.readTextFile(file)));
  const [cert, key] = [await Deno.readTextFile(credentials.certFile), await Deno.readTextFile(credentials.keyFile)];
  const { hostname, port } = options;
  const listener = new Listener(rest, { hostname, port, cert, key, tokens: credentials.tokens });
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await listener.refuse();
    await clear();
  };
  const fill: EmbeddedApi["fill"] = (filling) => rest.fill(filling);
  return { kind: "embedded", ...await describe(listener.port), faults: listener, fill, stop };
}

interface ListenOptions {
  readonly hostname: string;
  readonly port: number;
  readonly cert: string;
  readonly key: string;
  /** user -> token */
  readonly tokens: Readonly<Record<string, string>>;
}

/** The listening socket and the ways in which it fails. */
class Listener implements ApiFaults {
  readonly port: number;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  #closing = new AbortController();
  #thaw: PromiseWithResolvers<void> | undefined;
  #failing: { readonly status: number; readonly headers: Record<string, string> } | undefined;

  constructor(private readonly rest: Rest, private readonly options: ListenOptions) {
    this.#server = this.#listen(options.port);
    this.port = this.#server.addr.port;
  }

  freeze(): Promise<void> {
    this.#thaw ??= Promise.withResolvers<void>();
    this.rest.watches.setSilent(true);
    return Promise.resolve();
  }

  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.rest.watches.cut();
    this.#thaw?.resolve();
    this.#closing.abort();
    await server?.finished;
  }

  fail(status: number, { retryAfterSeconds }: { retryAfterSeconds?: number } = {}): Promise<void> {
    const headers = retryAfterSeconds === undefined ? {} : { "retry-after": `${retryAfterSeconds}` };
    this.#failing = { status, headers };
    this.rest.watches.cut();
    return Promise.resolve();
  }

  stall(): Promise<void> {
    this.rest.watches.setSilent(true);
    return Promise.resolve();
  }

  hurry(): Promise<void> {
    this.rest.watches.limit(1000);
    this.rest.watches.cut();
    return Promise.resolve();
  }

  forget(): Promise<void> {
    this.rest.forgetful = true;
    this.rest.watches.cut();
    return Promise.resolve();
  }

  revoke(user: string): Promise<void> {
    this.rest.revoke(this.options.tokens[user] ?? "");
    this.rest.watches.cut();
    return Promise.resolve();
  }

  recover(): Promise<void> {
    this.#failing = undefined;
    this.#thaw?.resolve();
    this.#thaw = undefined;
    this.rest.watches.setSilent(false);
    this.rest.watches.limit(Infinity);
    this.rest.forgetful = false;
    this.#server ??= this.#listen(this.port);
    return Promise.resolve();
  }

  compact(): Promise<void> {
    this.rest.compact();
    return Promise.resolve();
  }

  #listen(port: number): Deno.HttpServer<Deno.NetAddr> {
    this.#closing = new AbortController();
    const onListen = (): void => {};
    return Deno.serve(
      { ...this.options, port, signal: this.#closing.signal, onListen },
      (request) => this.#answer(request),
    );
  }

  async #answer(request: Request): Promise<Response> {
    await this.#thaw?.promise;
    if (this.#failing !== undefined) {
      const { status, headers } = this.#failing;
      return failure(new StatusError(status, "InternalError", "told to fail"), headers);
    }
    return await this.rest.handle(request);
  }
}
