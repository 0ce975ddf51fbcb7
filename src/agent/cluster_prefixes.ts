import { InvalidInput } from "../fault/invalid_input.ts";
import { type Address, addressOf, compareIp, contains, isHost, overlaps, type Prefix } from "../ip/address.ts";
import type { Watched } from "../kube/kube_client.ts";
import type { Logger } from "../log/logger.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import type { PrefixMemory } from "./prefix_memory.ts";
import type { NodeConfigReading } from "./resolve_node_config.ts";

export interface ClusterPrefixesDependencies {
  readonly nodeName: string;
  readonly nodeConfigs: Pick<Watched<NodeConfigReading>, "synced" | "items">;
  readonly memory: PrefixMemory;
  readonly logger: Logger;
  /** The node's own NodeConfig that is in force, if any. */
  inForce(): NodeConfig | undefined;
}

/** Another node, as far as its NodeConfig tells. */
export interface OtherNode {
  /** Absent: its prefixes are remembered, and nobody has said yet whose they are. */
  readonly name?: string;
  /** Where its pods are; single addresses, which any pod may have by annotation, are left out. */
  readonly prefixes: readonly Prefix[];
  /** Its routers' addresses, and its BGP identifier, which is an address of its own by custom. */
  readonly others: readonly { readonly address: Address; readonly what: string }[];
}

/** Where the cluster's pods may be, as far as this agent or the one before has heard. */
export class ClusterPrefixes {
  // node name -> prefixes of its pods, as far as known
  readonly #prefixesOf = new Map<string, readonly Prefix[]>();
  /** Where they were when the API server was last heard, by this agent or the one before. */
  #last: readonly Prefix[];

  constructor(private readonly deps: ClusterPrefixesDependencies) {
    this.#last = deps.memory.load();
  }

  /**
   * The CIDRs of every NodeConfig and what its node still advertises, for after an edit live pods stay outside the new
   * CIDRs. A NodeConfig that turned invalid or went away keeps what it had: its pods may live on. Before the API server
   * is heard, what it last said: else tables that somebody takes away meanwhile would come back without other nodes'
   * pods.
   *
   * @returns each once, in order
   */
  all(): Prefix[] {
    const { nodeConfigs, inForce } = this.deps;
    this.#hear();
    const own = inForce();
    const unheard = nodeConfigs.synced ? [] : this.#last;
    const prefixes = [...this.#prefixesOf.values(), own?.cidr6 ?? [], own?.cidr4 ?? [], unheard].flat();
    return unique(prefixes).sort(compareIp);
  }

  #hear(): void {
    for (const { name, outcome, advertised } of this.deps.nodeConfigs.items.values()) {
      const cidrs = outcome instanceof InvalidInput
        ? this.#prefixesOf.get(name) ?? []
        : [...outcome.cidr6, ...outcome.cidr4];
      this.#prefixesOf.set(name, [...cidrs, ...advertised]);
    }
  }

  /** @param own of which nothing is another node's, whatever its NodeConfig says */
  otherNodes({ cidr6, cidr4 }: NodeConfig): OtherNode[] {
    const { nodeConfigs, nodeName } = this.deps;
    this.#hear();
    const own = [...cidr6, ...cidr4];
    const podsOf = (prefixes: readonly Prefix[]): Prefix[] =>
      unique(prefixes).filter((prefix) => !isHost(prefix) && !own.some((cidr) => overlaps(cidr, prefix)));
    const known = [...this.#prefixesOf].filter(([name]) => name !== nodeName).map(([name, prefixes]) => ({
      ...{ name, prefixes: podsOf(prefixes) },
      others: addressesBeside(nodeConfigs.items.get(name)),
    }));
    return nodeConfigs.synced ? known : [...known, { prefixes: podsOf(this.#last), others: [] }];
  }

  /** @returns the single addresses in the node's CIDRs that other nodes serve */
  foreignIn({ cidr6, cidr4 }: NodeConfig): Address[] {
    const { nodeConfigs, nodeName } = this.deps;
    const own = new Set(nodeConfigs.items.get(nodeName)?.advertised.map(({ text }) => text));
    return this.all().filter((prefix) =>
      isHost(prefix) && !own.has(prefix.text) && [...cidr6, ...cidr4].some((cidr) => contains(cidr, prefix))
    ).map(({ family, base }) => addressOf(family, base));
  }

  /** Durable when it resolves, if the disk takes it: one that refuses is no reason not to serve. Never throws. */
  async remember(prefixes: readonly Prefix[]): Promise<void> {
    if (textOf(prefixes) === textOf(this.#last)) return;
    try {
      await this.deps.memory.save(prefixes);
      this.#last = prefixes;
    } catch (error) {
      this.deps.logger.warn("prefixes of the cluster's pods not remembered", { error: String(error) });
    }
  }
}

function unique(prefixes: readonly Prefix[]): Prefix[] {
  return [...new Map(prefixes.map((prefix) => [prefix.text, prefix])).values()];
}

function addressesBeside(reading: NodeConfigReading | undefined): OtherNode["others"] {
  if (reading === undefined || reading.outcome instanceof InvalidInput) return [];
  const { peers = [], routerId } = reading.outcome.bgp ?? {};
  const routers = peers.map(({ address }) => ({ address, what: `the address of a BGP peer of ${reading.name}` }));
  return routerId === undefined
    ? routers
    : [...routers, { address: routerId, what: `${reading.name}'s BGP identifier` }];
}

/** @returns a text that equal lists share, and no others */
export function textOf(prefixes: readonly Prefix[]): string {
  return prefixes.map(({ text }) => text).join(" ");
}
