import { assert } from "@std/assert";
import { type Address, addressOf as addressOfValue, type Prefix, sizeOf } from "../../src/ip/address.ts";
import type { Allocation } from "../../src/ipam/allocation.ts";
import { REST_MS } from "../../src/ipam/create_ipam.ts";
import type { NodeConfig } from "../../src/nodeconfig/node_config.ts";
import type { Look } from "./look.ts";
import { addressOf, CONFIGS, isUsable } from "./node_configs.ts";

/** Ranges up to this size are listed; a larger one is never so full that a rest must be cut short. */
const LISTABLE = 64n;

interface Freed {
  /** Monotonic. */
  readonly at: number;
  /** Who had it: one that the kernel keeps is recorded again, and was never free. */
  readonly by: string;
  /** How often the wall clock had been set. */
  readonly steps: number;
  /** Whether the kernel has had it; one that never left the agent needs no rest, though it may get one. */
  readonly used: boolean;
}

/** Watches that a freed address rests, and that of resting ones the longest free goes first (I9). */
export class RestWatch {
  #life: unknown;
  // address in the ledger -> by whom
  #held = new Map<string, string>();
  /** Of those, the ones that the kernel has had. */
  readonly #touched = new Set<string>();
  readonly #freed = new Map<string, Freed>();

  /** @throws AssertionError */
  verify({ life, ledger, links, monotonic, steps }: Look): void {
    if (ledger === undefined) return;
    const held = new Map(ledger.flatMap((each) => textsOf(each).map((text) => [text, nameOf(each)])));
    const before = this.#held;
    this.#letGo(held, { at: monotonic, steps });
    const onLinks = [...links.values()].flatMap(({ addresses }) => addresses);
    for (const text of onLinks) if (held.has(text)) this.#touched.add(text);
    const given = ledger.filter(({ state }) => state === "pending").flatMap(textsOf);
    const fresh = given.filter((text) =>
      before.get(text) !== held.get(text) && this.#freed.get(text)?.by !== held.get(text)
    );
    // What a new agent finds it has not given out; and it knows by the wall clock alone how long an address has rested.
    if (life !== this.#life) this.#doubt(steps);
    else for (const text of fresh) this.#verifyGiven(text, { held, links, monotonic });
    this.#life = life;
  }

  #doubt(steps: number): void {
    for (const [text, freed] of this.#freed) {
      if (freed.steps !== steps) this.#freed.set(text, { ...freed, used: false });
    }
  }

  #letGo(held: Map<string, string>, when: { at: number; steps: number }): void {
    for (const [text, by] of this.#held) {
      if (held.get(text) !== by) this.#freed.set(text, { ...when, by, used: this.#touched.delete(text) });
    }
    this.#held = held;
  }

  #verifyGiven(
    text: string,
    { held, links, monotonic }: { held: ReadonlyMap<string, string> } & Pick<Look, "links" | "monotonic">,
  ): void {
    if (!this.#rests(text, monotonic) || this.#freed.get(text)?.used === false) return;
    const inUse = new Set([...held.keys(), ...[...links.values()].flatMap(({ addresses }) => addresses)]);
    const justified = CONFIGS.some((config) => this.#isLastResort(addressOf(text), { config, inUse, monotonic }));
    const age = monotonic - this.#freedAt(text);
    assert(justified, `${text} was given out ${age} ms after it was freed, although others were free longer`);
  }

  #isLastResort(
    address: Address,
    { config, inUse, monotonic }: { config: NodeConfig; inUse: ReadonlySet<string>; monotonic: number },
  ): boolean {
    if (!isUsable(config, address)) return false;
    const pools = address.family === 4 ? config.cidr4 : config.cidr6;
    if (pools.some((pool) => sizeOf(pool) > LISTABLE)) return false;
    const others = pools.flatMap(listOf).filter((other) => isUsable(config, other) && !inUse.has(other.text))
      .filter(({ text }) => this.#freed.get(text)?.used !== false); // of these nobody can tell whether, or how long, they rest
    const freedAt = this.#freedAt(address.text);
    return others.every(({ text }) => this.#rests(text, monotonic) && this.#freedAt(text) >= freedAt);
  }

  #rests(text: string, monotonic: number): boolean {
    return monotonic - this.#freedAt(text) < REST_MS;
  }

  #freedAt(text: string): number {
    return this.#freed.get(text)?.at ?? -Infinity;
  }
}

function textsOf({ ipv6, ipv4 }: Pick<Allocation, "ipv6" | "ipv4">): string[] {
  return [ipv6, ipv4].filter((text) => text !== undefined);
}

function nameOf({ containerId, createdAt }: Allocation): string {
  return `${containerId} ${createdAt}`;
}

const lists = new Map<string, readonly Address[]>();

function listOf(prefix: Prefix): readonly Address[] {
  const known = lists.get(prefix.text);
  if (known !== undefined) return known;
  const list = Array.from(
    { length: Number(sizeOf(prefix)) },
    (_, host) => addressOfValue(prefix.family, prefix.base + BigInt(host)),
  );
  lists.set(prefix.text, list);
  return list;
}
