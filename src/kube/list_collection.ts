import type { Clock } from "../clock/clock.ts";
import { quote } from "../fault/invalid_input.ts";
import { isObject, store, textField } from "./collection.ts";
import { KubeError, type WatchTarget } from "./kube_client.ts";
import { noAnswer, type Transport } from "./transport.ts";
import { ListScanner } from "./_list_scanner.ts";
import { startWatchdog } from "./_watchdog.ts";

const PAGE_SIZE = 500;
/**
 * The server gives itself a minute (kube-apiserver --request-timeout); after that nothing will come. A slow page may
 * take longer.
 */
const LIST_SILENCE_MS = 70_000;
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
  readonly resourceVersion: string;
  readonly next: string | undefined;
}

/**
 * Lists a collection in pages, each object cut down at once. Asks for no resource version: such a list is read through
 * to etcd, so it never shows a state older than one seen before, as `resourceVersion=0` from a lagging cache does
 * (kubernetes/kubernetes#59848). Where a continue token expired on the way (410), everything is asked for at once, as
 * client-go does: whose pages take longer than the server remembers would else never end.
 *
 * @throws KubeError
 */
export async function listCollection<T>(target: WatchTarget<T>, options: ListOptions): Promise<Listed<T>> {
  try {
    return await listPages(target, { ...options, limit: PAGE_SIZE });
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

/** How much to ask for at once; absent: everything. */
type PageOptions = ListOptions & { readonly limit?: number };

async function listPages<T>(target: WatchTarget<T>, options: PageOptions): Promise<Listed<T>> {
  const items = new Map<string, T>();
  let page: Page | undefined;
  do {
    page = await fetchPage(target, { ...options, items, next: page?.next });
  } while (page.next !== undefined);
  return { items, resourceVersion: page.resourceVersion };
}

/** Each object is cut down as soon as it is there: a page of pods as they come is 50 times what is kept of them. */
async function fetchPage<T>(
  { path, fieldSelector, decode }: WatchTarget<T>,
  { transport, clock, signal, onContact, limit, next, items }: PageOptions & {
    readonly next: string | undefined;
    readonly items: Map<string, T>;
  },
): Promise<Page> {
  const reason = (ms: number): string => `the list was silent for ${ms / 1000} s`;
  const watchdog = startWatchdog(clock, { silenceMs: LIST_SILENCE_MS, reason, outer: signal });
  const wanted = {
    method: "GET" as const,
    path: withQuery(path, { fieldSelector, limit: limit?.toString(), continue: next }),
    signal: watchdog.signal,
  };
  const scanner = new ListScanner((object) => isObject(object) && store(items, object, decode));
  let size = 0;
  try {
    for await (const chunk of await transport.send(wanted)) {
      watchdog.feed();
      onContact();
      if ((size += chunk.length) > MAX_PAGE_BYTES) throw new Error(`an answer of more than ${MAX_PAGE_BYTES} bytes`);
      scanner.push(chunk);
    }
    return parsePage(path, scanner.end());
  } catch (error) {
    throw error instanceof KubeError ? error : noAnswer(wanted, error);
  } finally {
    watchdog.end();
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
  return { resourceVersion, next: textField(metadata, "continue") };
}
