/** As much of HTTP/1 (RFC 9112) as a page that may only be read needs. */
import type { Page } from "./page_server.ts";

/** What is asked for. */
export interface RequestHead {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
}

/** Longest head of a request, in bytes. */
const MAX_HEAD = 8_192;
const REQUEST_LINE = /^([A-Z]{1,16}) (\/[\x21-\x7e]*) HTTP\/1\.[01]\r?\n/;

const REASONS: Readonly<Record<number, string>> = {
  ...{
    200: "OK",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
  },
};

/** Reads to the end of the header, of which only the first line matters. @returns undefined for what is no request */
export async function readHead(connection: Pick<Deno.Conn, "read">): Promise<RequestHead | undefined> {
  const buffer = new Uint8Array(2_048);
  const decoder = new TextDecoder("latin1");
  let head = "";
  while (!/\r?\n\r?\n/.test(head)) {
    const count = await connection.read(buffer);
    if (count === null || head.length > MAX_HEAD) return undefined;
    head += decoder.decode(buffer.subarray(0, count));
  }
  const [, method, target] = REQUEST_LINE.exec(head) ?? [];
  return method === undefined || target === undefined ? undefined : { method, target };
}

/** @returns the answer, which ends the connection */
export function renderResponse(page: Page, { method }: Pick<RequestHead, "method">): Uint8Array {
  const { status, contentType = "text/plain; charset=utf-8", text } = page;
  const body = new TextEncoder().encode(text);
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? ""}`,
    `Content-Type: ${contentType}`,
    `Content-Length: ${body.length}`,
    "X-Content-Type-Options: nosniff",
    "Cache-Control: no-store",
    "Connection: close",
    ...["", ""],
  ].join("\r\n");
  const start = new TextEncoder().encode(head);
  const whole = new Uint8Array(start.length + (method === "HEAD" ? 0 : body.length));
  whole.set(start);
  if (method !== "HEAD") whole.set(body, start.length);
  return whole;
}

export async function writeAll(connection: Pick<Deno.Conn, "write">, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
}
