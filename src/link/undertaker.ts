import type { IpBatch } from "../exec/ip_batch.ts";

/** The group of links that wait for their end ("flock" as a number would be no better known). Links of a group go together. */
const DYING_GROUP = 0x666c;
/** How often to look, and how long the kernel may take, in milliseconds. */
const LOOK_MS = 1;
const PATIENCE_MS = 10_000;

export interface UndertakerOptions {
  /** The undertaker's own: it waits out the grace periods. */
  readonly batch: IpBatch;
  /** Whether the kernel still has a link of that name. Asked often. */
  isThere(link: string): boolean;
}

/** One request to the kernel, as its callers see it. */
interface Burial {
  /** Resolves when no link of it is to be seen, when the kernel has answered, whatever it said, or when nothing came for long. */
  readonly over: Promise<void>;
}

/**
 * Removes host ends. The kernel makes a link invisible at once, with its peer, addresses, routes and neighbours, but answers the
 * request only 13 to 24 ms later, after an RCU grace period (netdev_run_todo() waits in rcu_barrier() with the RTNL lock already
 * released). So the request goes through a process of its own, and whoever waits is told as soon as the links are gone from
 * sight. Links of calls made at the same time, and of all calls that come while a request is under way, go as a group, which
 * costs one grace period in all.
 */
export class Undertaker {
  readonly #waiting = new Set<string>();
  #next: Promise<Burial> | undefined;
  #underWay: Promise<unknown> = Promise.resolve();
  #distrusted = false;

  constructor(private readonly options: UndertakerOptions) {}

  /** Resolves when none of the links is to be seen any more. Missing ones are fine. @throws when the kernel keeps one */
  async bury(links: readonly string[]): Promise<void> {
    const there = links.filter(this.options.isThere);
    if (there.length === 0) return;
    if (await this.#gone(there)) return;
    this.#distrusted = true; // the process may have meant an older link of that name
    if (await this.#gone(there)) return;
    throw new Error(`Cannot remove ${there.join(", ")}: the kernel keeps it`);
  }

  async close(): Promise<void> {
    await this.options.batch.close();
  }

  /** @returns false when the request was answered, or nothing came for long, and a link is still there */
  async #gone(links: readonly string[]): Promise<boolean> {
    const { over } = await this.#join(links);
    await over;
    return !links.some(this.options.isThere);
  }

  /**
   * Resolves when the request is on its way. Nobody leaves before: a link that vanished by itself and was made again for the next
   * ADD would else be removed by a request that nobody waits for.
   */
  #join(links: readonly string[]): Promise<Burial> {
    for (const link of links) this.#waiting.add(link);
    this.#next ??= this.#underWay.then(() => this.#start());
    return this.#next;
  }

  #start(): Burial {
    const links = [...this.#waiting];
    this.#waiting.clear();
    this.#next = undefined;
    if (this.#distrusted) this.options.batch.renew();
    this.#distrusted = false;
    const answer = new AbortController();
    const answered = (): void => answer.abort();
    this.#underWay = this.options.batch.run(burialLines(links)).then(answered, answered);
    return { over: this.#watch(links, answer.signal) };
  }

  /** One look for all who wait: links of a group go together, and 110 that looked for themselves spent more than the kernel. */
  async #watch(links: readonly string[], answer: AbortSignal): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!answer.aborted && performance.now() < deadline && links.some(this.options.isThere)) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

function burialLines(links: readonly string[]): string[] {
  if (links.length === 1) return links.map((link) => `link del dev ${link}`);
  return [...links.map((link) => `link set dev ${link} group ${DYING_GROUP}`), `link del group ${DYING_GROUP}`];
}
