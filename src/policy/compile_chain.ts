import { FAMILIES } from "../ip/address.ts";
import {
  type BlockPeer,
  type Direction,
  type NetworkPolicy,
  type PodPeer,
  type PolicyPort,
  type PolicyRule,
  PROTOCOLS,
} from "./network_policy.ts";
import type { ChainRule, PeerMatch, PolicyChain, PortMatch } from "./policy_table.ts";
import { mergePorts, rangesOfBlocks } from "./ranges.ts";
import { EVERY_POD, type PodScope, scopeOf, scopeText, setName, type SetSource } from "./set_source.ts";

/** A chain, and of each set that it names where its elements come from. */
export interface CompiledChain {
  readonly chain: PolicyChain;
  readonly sources: ReadonlyMap<string, SetSource>;
}

/** @returns the chain of what the policy allows in that direction: no rules if it says nothing about it */
export function compileChain(policy: NetworkPolicy, direction: Direction): CompiledChain {
  const compiler = new ChainCompiler(policy.namespace, direction);
  const rules = (policy.rules[direction] ?? []).flatMap((rule) => compiler.compile(rule));
  // Peers whose ports are all names, going out, are in the sets of the names alone.
  const named = new Set(rules.flatMap(({ peer, port }) => [peer, port].map((match) => match && setNamedBy(match))));
  return { chain: { direction, rules }, sources: new Map([...compiler.sources].filter(([name]) => named.has(name))) };
}

function setNamedBy(match: PeerMatch | PortMatch): string | undefined {
  return match.kind === "set" ? match.set : undefined;
}

/** @returns the chain of a policy that allows nothing for now */
export function closedChain(direction: Direction): CompiledChain {
  return { chain: { direction, rules: [] }, sources: new Map() };
}

class ChainCompiler {
  readonly sources = new Map<string, SetSource>();

  constructor(private readonly namespace: string, private readonly direction: Direction) {}

  compile({ peers, ports }: PolicyRule): ChainRule[] {
    const byPeer: readonly ChainRule[] = peers === undefined ? [{}] : this.#matchPeers(peers).map((peer) => ({ peer }));
    const byPort: readonly ChainRule[] = ports === undefined ? [{}] : matchNumbers(ports).map((port) => ({ port }));
    return [...cross(byPeer, byPort), ...this.#compileNames({ peers, byPeer, ports: ports ?? [] })];
  }

  #matchPeers(peers: readonly (PodPeer | BlockPeer)[]): PeerMatch[] {
    const blocks = peers.filter((peer) => peer.kind === "block");
    const scopes = this.#scopesOf(peers);
    return FAMILIES.flatMap((family): PeerMatch[] => {
      const ranges = rangesOfBlocks(blocks, family);
      return [
        ...scopes.map((scope): PeerMatch => {
          return { kind: "set", family, set: this.#setOf({ kind: "address", family, scope }) };
        }),
        ...(ranges.length > 0 ? [{ kind: "ranges", family, ranges } as const] : []),
      ];
    });
  }

  /**
   * To a pod of this node: by its link, whoever sends. From one: by the addresses of the peers that have the name, so a
   * block is none (NP-21).
   */
  #compileNames(
    { peers, byPeer, ports }: {
      readonly peers: PolicyRule["peers"];
      readonly byPeer: readonly ChainRule[];
      readonly ports: readonly PolicyPort[];
    },
  ): ChainRule[] {
    const scopes = peers === undefined ? [EVERY_POD] : this.#scopesOf(peers);
    return namesOf(ports).flatMap(({ protocol, name }) => {
      const match = { kind: "set", protocol } as const;
      if (this.direction === "ingress") {
        const set = this.#setOf({ kind: "linkPort", protocol, name });
        return cross(byPeer, [{ port: { ...match, set } }]);
      }
      return scopes.flatMap((scope) =>
        FAMILIES.map((family): ChainRule => {
          const set = this.#setOf({ kind: "addressPort", family, protocol, name, scope });
          return { port: { ...match, family, set } };
        })
      );
    });
  }

  #scopesOf(peers: readonly (PodPeer | BlockPeer)[]): PodScope[] {
    const scopes = peers.filter((peer) => peer.kind === "pods").map((peer) => scopeOf(peer, this.namespace));
    return distinct(scopes, scopeText);
  }

  #setOf(source: SetSource): string {
    const name = setName(source);
    this.sources.set(name, source);
    return name;
  }
}

function matchNumbers(ports: readonly PolicyPort[]): PortMatch[] {
  return PROTOCOLS.flatMap((protocol) => {
    const own = ports.flatMap((port) => (port.kind === "range" && port.protocol === protocol ? [port.range] : []));
    return own.length === 0 ? [] : [{ kind: "ranges", protocol, ranges: mergePorts(own) } as const];
  });
}

function namesOf(ports: readonly PolicyPort[]): Extract<PolicyPort, { readonly kind: "named" }>[] {
  return distinct(ports.filter((port) => port.kind === "named"), ({ protocol, name }) => `${protocol} ${name}`);
}

function cross(byPeer: readonly ChainRule[], byPort: readonly ChainRule[]): ChainRule[] {
  return byPeer.flatMap((peer) => byPort.map((port) => ({ ...peer, ...port })));
}

function distinct<T>(items: readonly T[], textOf: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [textOf(item), item])).values()];
}
