import { checkName, lookupChainName } from "./names.ts";
import type { ChainRule, PolicyChain } from "./policy_table.ts";
import { isAddressPort, renderPeer, renderPort } from "./render_rule.ts";

/** Chain -> its rules as nft reads them. What a chain jumps to stands before it. */
export type LaidOutChains = ReadonlyMap<string, readonly string[]>;

/** Ports that the same peers may reach. */
interface Group {
  readonly ports: Set<string>;
  /** Rules that accept the peers; undefined: everybody. */
  readonly peers: readonly string[] | undefined;
}

const ANY_PORT = "";

/**
 * Lays a policy's chain out for nft: each combination of a peer and a port would be a rule, so where several peers may
 * reach several ports, the peers are a chain of their own, which the rules of the ports go to. The order of rules does
 * not matter: they accept and nothing else.
 *
 * Sets of pods' addresses are named by one chain of their own each, which accepts what is in the set. So a small one
 * can be made anew with its chain, whoever uses it, which nft does in no time; to delete an element it reads all sets
 * of the machine first (renderPolicyChanges()).
 *
 * @returns the chain, last, and those that it needs
 */
export function layOutChain(name: string, chain: PolicyChain): LaidOutChains {
  const chains = new Map<string, readonly string[]>();
  const rules = groupsOf(chain).flatMap(({ ports, peers }) => {
    if (peers === undefined) return [...ports].map((port) => join(port, "accept"));
    const [only, ...more] = peers;
    if (only !== undefined && more.length === 0) return [...ports].map((port) => join(port, only));
    if (ports.has(ANY_PORT)) return peers;
    const shared = `${checkName(name)}_${chains.size}`;
    chains.set(shared, peers);
    return [...ports].map((port) => join(port, `jump ${shared}`));
  });
  const targets = chain.rules.flatMap(({ port }) =>
    isAddressPort(port) ? [`jump ${lookupChainName(port.set, chain.direction)}`] : []
  );
  chains.set(name, [...new Set([...rules, ...targets])]);
  return chains;
}

function groupsOf({ direction, rules }: PolicyChain): Group[] {
  const peersByPort = new Map<string, Set<string> | undefined>();
  for (const rule of rules) {
    if (isAddressPort(rule.port)) continue;
    const peers = rule.peer && renderPeer(rule.peer, direction);
    for (const port of portsOf(rule)) {
      const before = peersByPort.has(port) ? peersByPort.get(port) : new Set<string>();
      peersByPort.set(port, before && peers && new Set([...before, ...peers]));
    }
  }
  const groups = new Map<string, Group>();
  for (const [port, peers] of peersByPort) {
    const key = peers === undefined ? "" : [...peers].join("; ");
    const group = groups.get(key) ?? { ports: new Set<string>(), peers: peers && [...peers] };
    groups.set(key, group);
    group.ports.add(port);
  }
  return [...groups.values()];
}

function portsOf({ port }: ChainRule): string[] {
  return port === undefined || isAddressPort(port) ? [ANY_PORT] : renderPort(port);
}

function join(port: string, verdict: string): string {
  return port === ANY_PORT ? verdict : `${port} ${verdict}`;
}
