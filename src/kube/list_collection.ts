import type { Clock } from "../clock/clock.ts";
import { quote } from "../fault/invalid_input.ts";
import { isObject, store, textField } from "./collection.ts";
import { KubeError, type WatchTarget } from "./kube_client.ts";
import { noAnswer, readText, type Transport } from "./transport.ts";
import { startWatchdog } from "./_watchdog.ts";

const PAGE_SIZE = 500;
/** For one page, whole. */
const LIST_TIMEOUT_MS = 60_000;
/** 500 objects of the most that etcd takes would be more; a page of such is no page that flock can hold. */
const MAX_PAGE_BYTES = 128 * 1024 * 1024;

export interface Listed<T> {
  readonly items: Map<string, T>;
  /** Where a watch goes on from. */
  readonly resourceVersion: string;
}

export interface ListOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told of every chunk that arrives. */
  onContact(): void;
}

interface Page {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  readonly next: string | undefined;
}

/**
 * Lists a collection in pages, each object cut down at once. Asks for no resource version: such a list is read through to etcd,
 * so it never shows a state older than one seen before, as `resourceVersion=0` from a lagging cache does
 * (kubernetes/kubernetes#59848). A continue token that expired on the way (410) starts over, once.
 *
 * @throws KubeError, 410 when the second try expired too
 */
export async function listCollection<T>(target: WatchTarget<T>, options: ListOptions): Promise<Listed<T>> {
  try {
    return await listPages(target, options);
  } catch (error) {
    if (!(error instanceof KubeError) || error.status !== 410) throw error;
    return await listPages(target, options);
  }
}

/** @returns the path with the query's defined members */
export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, value);
  return search.size === 0 ? path : `${path}?${search}`;
}

async function listPages<T>(target: WatchTarget<T>, options: ListOptions): Promise<Listed<T>> {
  const items = new Map<string, T>();
  let page: Page | undefined;
  do {
    page = await fetchPage(target, { ...options, next: page?.next });
    for (const object of page.items) if (isObject(object)) store(items, object, target.decode);
  } while (page.next !== undefined);
  return { items, resourceVersion: page.resourceVersion };
}

async function fetchPage(
  { path, fieldSelector }: Pick<WatchTarget<unknown>, "path" | "fieldSelector">,
  { transport, clock, signal, onContact, next }: ListOptions & { next: string | undefined },
): Promise<Page> {
  const reason = `the list took more than ${LIST_TIMEOUT_MS / 1000} s`;
  const deadline = startWatchdog(clock, { silenceMs: LIST_TIMEOUT_MS, reason, outer: signal });
  const wanted = {
    method: "GET" as const,
    path: withQuery(path, { fieldSelector, limit: String(PAGE_SIZE), continue: next }),
    signal: deadline.signal,
  };
  try {
    const body = await transport.send(wanted);
    return parsePage(path, JSON.parse(await readText(heard(body, onContact), MAX_PAGE_BYTES)));
  } catch (error) {
    throw error instanceof KubeError ? error : noAnswer(wanted, error);
  } finally {
    deadline.end();
  }
}

async function* heard(body: AsyncIterable<Uint8Array>, onContact: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    onContact();
    yield chunk;
  }
}

// A list of nothing is the server's word and is believed; an answer that is no list (a proxy's) is not.
function parsePage(path: string, answer: unknown): Page {
  const metadata = isObject(answer) ? answer["metadata"] : undefined;
  const items = isObject(answer) ? answer["items"] ?? [] : undefined;
  const resourceVersion = textField(metadata, "resourceVersion");
  if (!Array.isArray(items) || resourceVersion === undefined) {
    throw new KubeError(`Cannot GET ${quote(path)}: the answer is no list`, undefined);
  }
  return { items, resourceVersion, next: textField(metadata, "continue") };
}
