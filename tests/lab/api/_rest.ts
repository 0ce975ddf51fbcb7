/** HTTP to objects: authentication, paths, verbs. */
import type { Filling } from "./api_server.ts";
import { discover } from "./_discovery.ts";
import { failure, readBody, readDeleteOptions } from "./_http.ts";
import type { StoredObject } from "./_object.ts";
import { mergePatch } from "./_patch.ts";
import { ObjectApi } from "./_object_api.ts";
import { ObjectStore } from "./_object_store.ts";
import { Pages, parseCount } from "./_page.ts";
import { BUILT_IN, qualifiedName, type Resource, resourcesOf } from "./_resource.ts";
import { parseFieldSelector, parseLabelSelector, type Predicate } from "./_selector.ts";
import { gone, StatusError } from "./_status_error.ts";
import type { Target } from "./_strategy.ts";
import { Watches } from "./_watch.ts";

export interface RestOptions {
  /** Bearer tokens that are let in. */
  readonly tokens: readonly string[];
  /** Between two bookmarks of a watch. */
  readonly bookmarkMs: number;
  /** Changes kept for watches. */
  readonly historySize: number;
  /** How a watch from a forgotten version is told: in the stream as the real server does, or as the answer itself. */
  readonly gone: "event" | "http";
}

const DEFAULT_WATCH_SECONDS = 1800;
const DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io";

/** Everything of the embedded server but its listener. */
export class Rest {
  readonly #store: ObjectStore;
  readonly #objects: ObjectApi;
  readonly #pages = new Pages();
  readonly #tokens: Set<string>;
  readonly watches: Watches;
  /** Lists are empty and of the first version, and there is no history. */
  forgetful = false;

  constructor(private readonly options: RestOptions) {
    this.#tokens = new Set(options.tokens);
    this.#store = new ObjectStore(options.historySize);
    this.#objects = new ObjectApi(this.#store);
    this.watches = new Watches(this.#store);
    for (const name of ["default", "kube-system"]) this.create("/api/v1/namespaces", { metadata: { name } });
  }

  /** Creates an object without a request. @throws StatusError */
  create(path: string, body: unknown): StoredObject {
    return this.#objects.create(this.#target(path), body);
  }

  /**
   * Creates or replaces many without a request: each is `base` with a merge patch (RFC 7396), and shares with the
   * others what that does not touch.
   */
  fill({ collection, base, variants }: Filling): void {
    const target = this.#target(collection);
    for (const variant of variants) this.#objects.put(target, mergePatch(base, variant));
  }

  /** Lets the token in no more. */
  revoke(token: string): void {
    this.#tokens.delete(token);
  }

  /** Forgets history and continue tokens, and ends the watches. */
  compact(): void {
    this.#store.compact();
    this.#pages.expire();
    this.watches.cut();
  }

  /** Answers one request; never rejects. */
  async handle(request: Request): Promise<Response> {
    try {
      this.#authenticate(request);
      return await this.#dispatch(request);
    } catch (error) {
      return failure(error instanceof StatusError ? error : new StatusError(500, "InternalError", String(error)));
    }
  }

  #authenticate(request: Request): void {
    const token = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (token === undefined || !this.#tokens.has(token)) {
      throw new StatusError(401, "Unauthorized", "Unauthorized");
    }
  }

  #dispatch(request: Request): Promise<Response> | Response {
    const { pathname } = new URL(request.url);
    if (["/healthz", "/livez", "/readyz"].includes(pathname)) return new Response("ok");
    const found = request.method === "GET" ? discover(pathname, this.#resources()) : undefined;
    if (found !== undefined) return Response.json(found);
    const target = this.#target(pathname);
    return target.name === "" ? this.#onCollection(request, target) : this.#onObject(request, target);
  }

  async #onCollection(request: Request, target: Target): Promise<Response> {
    const query = new URL(request.url).searchParams;
    if (request.method === "POST") {
      return Response.json(this.#objects.create(target, await readBody(request)), { status: 201 });
    }
    if (request.method !== "GET") throw methodNotAllowed();
    return ["true", "1"].includes(query.get("watch") ?? "") ? this.#watch(target, query) : this.#list(target, query);
  }

  async #onObject(request: Request, target: Target): Promise<Response> {
    const contentType = (request.headers.get("content-type") ?? "").split(";")[0] ?? "";
    switch (request.method) {
      case "GET":
        return Response.json(this.#objects.read(target));
      case "PUT":
        return Response.json(this.#objects.replace(target, await readBody(request)));
      case "PATCH":
        return Response.json(this.#objects.patch(target, await readBody(request), contentType));
      case "DELETE":
        return Response.json(this.#objects.delete(target, await readDeleteOptions(request)));
      default:
        throw methodNotAllowed();
    }
  }

  #list(target: Target, query: URLSearchParams): Response {
    const limit = parseCount(query, "limit", 0);
    const token = query.get("continue");
    if (token) return Response.json(this.#pages.next(target.resource, token, limit));
    if (this.forgetful) return Response.json(this.#pages.first(target.resource, { version: 1, objects: [] }, limit));
    const version = this.#store.version;
    if (parseCount(query, "resourceVersion", 0) > version) {
      throw new StatusError(
        504,
        "Timeout",
        `Timeout: Too large resource version: ${query.get("resourceVersion")}, current: ${version}`,
      );
    }
    const objects = this.#store.list(qualifiedName(target.resource)).filter(selection(target, query));
    return Response.json(this.#pages.first(target.resource, { version, objects }, limit));
  }

  #watch(target: Target, query: URLSearchParams): Response {
    if (query.has("sendInitialEvents")) {
      throw new StatusError(422, "Invalid", "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch");
    }
    if (this.forgetful) throw gone("too old resource version");
    const since = parseCount(query, "resourceVersion", 0) || undefined;
    if (since !== undefined && this.options.gone === "http" && this.#store.changesSince(since) === undefined) {
      throw gone(`too old resource version: ${since} (${this.#store.version})`);
    }
    const body = this.watches.open({
      resource: target.resource,
      selects: selection(target, query),
      since,
      timeoutMs: 1000 * (parseCount(query, "timeoutSeconds", 0) || DEFAULT_WATCH_SECONDS),
      bookmarkMs: ["true", "1"].includes(query.get("allowWatchBookmarks") ?? "") ? this.options.bookmarkMs : undefined,
    });
    return new Response(body, { headers: { "content-type": "application/json" } });
  }

  #resources(): Resource[] {
    return [...BUILT_IN, ...this.#store.list(DEFINITIONS).flatMap(resourcesOf)];
  }

  /** @throws StatusError 404 for what no resource serves */
  #target(path: string): Target {
    const [, group = "", version, rest = ""] = /^\/api(?:s\/([^/]+))?\/([^/]+)\/(.+)$/.exec(path) ?? [];
    const parts = rest.split("/").map(decodeURIComponent);
    const namespaced = parts[0] === "namespaces" && parts.length > 2 && parts[2] !== "status";
    const [plural, name = "", subresource = "", ...more] = namespaced ? parts.slice(2) : parts;
    const resource = this.#resources().find((served) =>
      served.group === group && served.version === version && served.plural === plural
    );
    const known = subresource === "" || (subresource === "status" && resource?.hasStatus === true);
    if (resource === undefined || !known || more.length > 0 || (namespaced && !resource.namespaced)) {
      throw new StatusError(404, "NotFound", "the server could not find the requested resource");
    }
    return {
      resource,
      namespace: namespaced ? parts[1] ?? "" : "",
      name,
      subresource: subresource === "" ? "" : "status",
    };
  }
}

/**
 * @returns whether an object is in the target's namespace and passes the selectors of the query.
 * @throws StatusError 400
 */
function selection({ resource, namespace }: Target, query: URLSearchParams): Predicate {
  const byField = parseFieldSelector(query.get("fieldSelector") ?? "", resource.fieldLabels);
  const byLabel = parseLabelSelector(query.get("labelSelector") ?? "");
  const inNamespace: Predicate = (object) => namespace === "" || object.metadata.namespace === namespace;
  return (object) => inNamespace(object) && byField(object) && byLabel(object);
}

function methodNotAllowed(): StatusError {
  return new StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
}
