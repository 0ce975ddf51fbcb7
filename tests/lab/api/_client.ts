/** The contract suite's own client: bare HTTP, so that no library hides what the server says. */
import { isJson, type Json, valueAt } from "./_object.ts";
import type { ApiServer } from "./api_server.ts";

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface CallOptions {
  readonly body?: unknown;
  /** Default: JSON; a patch must say which it is. */
  readonly contentType?: string;
  /** Default: the admin's; empty: none. */
  readonly token?: string;
  readonly timeoutMs?: number;
}

export class ApiClient {
  readonly #http: Deno.HttpClient;

  private constructor(private readonly server: ApiServer, ca: string) {
    this.#http = Deno.createHttpClient({ caCerts: [ca] });
  }

  static async open(server: ApiServer): Promise<ApiClient> {
    return new ApiClient(server, await Deno.readTextFile(server.caFile));
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const response = await this.#fetch(method, path, options);
    const text = await response.text();
    const json = response.headers.get("content-type")?.includes("json");
    return { status: response.status, body: json ? JSON.parse(text) : text };
  }

  /** @returns once the server's headers are there */
  async watch(path: string, query: string): Promise<WatchReader> {
    const response = await this.#fetch("GET", `${path}?watch=1&${query}`, { timeoutMs: 120_000 });
    if (response.status === 200 && response.body !== null) return new WatchReader(response.body);
    throw new Error(`Cannot watch ${path}: ${response.status} ${await response.text()}`);
  }

  close(): void {
    this.#http.close();
  }

  #fetch(method: string, path: string, options: CallOptions): Promise<Response> {
    const { body, contentType = "application/json", token = this.server.token(), timeoutMs = 20_000 } = options;
    const headers = { "content-type": contentType, ...(token === "" ? {} : { authorization: `Bearer ${token}` }) };
    const signal = AbortSignal.timeout(timeoutMs);
    const init = { method, headers, signal, client: this.#http };
    return fetch(this.server.url + path, body === undefined ? init : { ...init, body: JSON.stringify(body) });
  }
}

export interface WatchEvent {
  readonly type: string;
  readonly object: Json;
}

/** Reads a watch event by event. */
export class WatchReader {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #buffer = "";

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** @returns the next event, undefined when the watch has ended or was cut */
  async next(): Promise<WatchEvent | undefined> {
    while (!this.#buffer.includes("\n")) {
      const { done, value } = await this.#reader.read().catch(() => ({ done: true, value: undefined }));
      if (done) return undefined;
      this.#buffer += value;
    }
    const [line = "", ...rest] = this.#buffer.split("\n");
    this.#buffer = rest.join("\n");
    const event: unknown = JSON.parse(line);
    if (!isJson(event) || !isJson(event["object"])) throw new Error(`Cannot read a watch event: ${line}`);
    return { type: String(event["type"]), object: event["object"] };
  }

  /** @returns the next events as `TYPE name`, bookmarks left out */
  async names(count: number): Promise<string[]> {
    const names: string[] = [];
    while (names.length < count) {
      const event = await this.next();
      if (event === undefined) return [...names, "END"];
      if (event.type !== "BOOKMARK") names.push(`${event.type} ${valueAt(event.object, "metadata.name")}`);
    }
    return names;
  }

  async close(): Promise<void> {
    await this.#reader.cancel().catch(() => undefined);
  }
}
