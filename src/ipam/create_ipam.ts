/** Address management of one node (spec section 4). Keeps what is given out in memory; the caller keeps it durable. */
import type { Clock } from "../clock/clock.ts";
import { credibleAge } from "../clock/credible_age.ts";
import { type Address, addressOf, bitsOf, type Family, type Prefix, sizeOf } from "../ip/address.ts";
import { AddressRuns } from "./address_runs.ts";
import { identityRange } from "./identity_range.ts";
import { type AllocationRange, type FamilyRequest, type Grant, type Ipam, PoolExhausted } from "./ipam.ts";
import type { RandomBits } from "./random_bits.ts";
import { type Rest, RestQueue } from "./rest_queue.ts";
import { intersect, type Span, spanHas, spanSize, usableSpan } from "./usable_span.ts";

/** How long a freed address is kept back. */
export const REST_MS = 30_000;
/** Random IPv6 addresses tried before the range is searched. */
export const RANDOM_TRIES = 16;
/** IPv6 ranges of up to this many host bits (65 536 addresses) are searched at once. */
export const SEARCH_BITS = 16;

/** @returns an empty address management; `random` chooses IPv6 host bits, the clock times the rest of freed addresses */
export function createIpam(options: { clock: Clock; random: RandomBits }): Ipam {
  return new NodeIpam(options.clock, options.random);
}

interface Choice {
  readonly address: Address;
  readonly nodeCidr: Prefix;
  readonly warnings: readonly string[];
}

class NodeIpam implements Ipam {
  readonly #used: Readonly<Record<Family, AddressRuns>> = { 4: new AddressRuns(), 6: new AddressRuns() };
  /** In use or resting. */
  readonly #blocked: Readonly<Record<Family, AddressRuns>> = { 4: new AddressRuns(), 6: new AddressRuns() };
  readonly #rests = new RestQueue();
  /** address -> the rest that its present use cut short; it goes on when the use is undone */
  readonly #cutShort = new Map<string, Rest>();
  /** node CIDR -> last IPv4 address given out */
  readonly #cursors = new Map<string, Address>();

  constructor(readonly clock: Clock, readonly random: RandomBits) {}

  allocate(requests: readonly FamilyRequest[]): Grant {
    this.#endRests();
    const choices = requests.map((request) => this.#choose(request));
    for (const { address, nodeCidr } of choices) {
      this.#occupy(address);
      if (address.family === 4) this.#cursors.set(nodeCidr.text, address);
    }
    const ipv6 = choices.find(({ address }) => address.family === 6)?.address;
    const ipv4 = choices.find(({ address }) => address.family === 4)?.address;
    const warnings = choices.flatMap((choice) => choice.warnings);
    return { ...(ipv6 && { ipv6 }), ...(ipv4 && { ipv4 }), warnings };
  }

  take(address: Address): boolean {
    if (this.#used[address.family].has(address.value)) return false;
    this.#occupy(address);
    return true;
  }

  release(address: Address, freedAt = this.clock.wall()): void {
    this.#used[address.family].remove(address.value);
    this.#cutShort.delete(address.text);
    if (this.#rests.has(address)) return;
    const age = credibleAge(freedAt, this.clock.wall());
    this.#rest({ address, freedAt, until: this.clock.monotonic() + REST_MS - age });
  }

  undo(address: Address): void {
    if (!this.#used[address.family].has(address.value)) return;
    this.#used[address.family].remove(address.value);
    const rest = this.#cutShort.get(address.text);
    this.#cutShort.delete(address.text);
    if (rest === undefined) this.#blocked[address.family].remove(address.value);
    else this.#rest(rest);
  }

  setCursor(nodeCidr: string, last: Address): void {
    this.#cursors.set(nodeCidr, last);
  }

  cursors(): ReadonlyMap<string, string> {
    return new Map([...this.#cursors].map(([nodeCidr, last]) => [nodeCidr, last.text]));
  }

  resting(): readonly { readonly address: string; readonly freedAt: number }[] {
    this.#endRests();
    return this.#rests.list().map(({ address, freedAt }) => ({ address: address.text, freedAt }));
  }

  usage(nodeCidr: Prefix): { readonly used: number; readonly usable: bigint } {
    const span = usableSpan({ range: nodeCidr, nodeCidr });
    return { used: Number(this.#used[nodeCidr.family].countWithin(span)), usable: spanSize(span) };
  }

  #choose(request: FamilyRequest): Choice {
    for (const range of request.ranges) {
      const choice = request.family === 4 ? this.#afterCursor(range) : this.#atRandom(range, request.identity ?? []);
      if (choice !== undefined) return choice;
    }
    const resting = this.#longestFree(request);
    if (resting === undefined) throw new PoolExhausted(this.#describeExhaustion(request));
    return resting;
  }

  #afterCursor(range: AllocationRange): Choice | undefined {
    const span = usableSpan(range);
    const cursor = this.#cursors.get(range.nodeCidr.text);
    const value = this.#firstFree(4, span, cursor === undefined ? span.first : cursor.value + 1n);
    return value === undefined ? undefined : choiceOf(4, value, range);
  }

  #atRandom(range: AllocationRange, identity: readonly string[]): Choice | undefined {
    const warnings: string[] = [];
    if (identity.length > 0) {
      const narrowed = identityRange(range.range, identity);
      const value = narrowed && this.#randomFree(narrowed, usableSpan(range));
      if (value !== undefined) return choiceOf(6, value, range);
      warnings.push(withoutIdentity(range, narrowed));
    }
    const value = this.#randomFree(range.range, usableSpan(range));
    return value === undefined ? undefined : choiceOf(6, value, range, warnings);
  }

  /** @returns a free address of the prefix within the span, at random or, failing that, the first free one after a random start */
  #randomFree(prefix: Prefix, within: Span): bigint | undefined {
    const hostBits = bitsOf(prefix.family) - prefix.length;
    const span = intersect({ first: prefix.base, last: prefix.base + sizeOf(prefix) - 1n }, within);
    for (let tries = hostBits > SEARCH_BITS ? RANDOM_TRIES : 0; tries > 0; tries--) {
      const value = prefix.base | this.random(hostBits);
      if (spanHas(span, value) && !this.#blocked[prefix.family].has(value)) return value;
    }
    return this.#firstFree(prefix.family, span, prefix.base | this.random(hostBits));
  }

  /** @returns the first free address of the span from the start on, around its end to before the start */
  #firstFree(family: Family, span: Span, start: bigint): bigint | undefined {
    const blocked = this.#blocked[family];
    if (!spanHas(span, start)) return blocked.firstOutside(span);
    return blocked.firstOutside({ first: start, last: span.last }) ??
      blocked.firstOutside({ first: span.first, last: start - 1n });
  }

  #longestFree({ family, ranges, identity }: FamilyRequest): Choice | undefined {
    const rangeOf = (address: Address): AllocationRange | undefined =>
      address.family === family ? ranges.find((range) => spanHas(usableSpan(range), address.value)) : undefined;
    const address = this.#rests.longestFree((candidate) => rangeOf(candidate) !== undefined);
    const range = address && rangeOf(address);
    if (address === undefined || range === undefined) return undefined;
    const warnings = identity === undefined || identity.length === 0 ? [] : [withoutIdentity(range, range.range)];
    return choiceOf(family, address.value, range, warnings);
  }

  #occupy(address: Address): void {
    const rest = this.#rests.remove(address);
    if (rest !== undefined) this.#cutShort.set(address.text, rest);
    this.#used[address.family].add(address.value);
    this.#blocked[address.family].add(address.value);
  }

  #rest(rest: Rest): void {
    this.#rests.add(rest);
    this.#blocked[rest.address.family].add(rest.address.value);
    this.#endRests();
  }

  #endRests(): void {
    for (const address of this.#rests.takeExpired(this.clock.monotonic())) {
      this.#blocked[address.family].remove(address.value);
    }
  }

  #describeExhaustion({ family, ranges }: FamilyRequest): string {
    const pools = ranges.map((range) => {
      const span = usableSpan(range);
      const used = this.#used[family].countWithin(span);
      const resting = this.#blocked[family].countWithin(span) - used;
      return `${range.range.text} (${spanSize(span)} usable, ${used} in use, ${resting} resting)`;
    });
    return `Cannot allocate an IPv${family} address: none free in ${pools.join(", ") || "any range, as there is none"}`;
  }
}

function choiceOf(family: Family, value: bigint, range: AllocationRange, warnings: readonly string[] = []): Choice {
  return { address: addressOf(family, value), nodeCidr: range.nodeCidr, warnings };
}

function withoutIdentity({ range }: AllocationRange, narrowed: Prefix | undefined): string {
  const state = narrowed === undefined ? "the range is too small" : "no free value is left";
  return `Cannot put ip-algo's identity into ${range.text}: ${state}, so all host bits are random`;
}
