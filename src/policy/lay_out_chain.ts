import { portsChainName } from "./names.ts";
import type { ChainRule, PeerMatch, PolicyChain } from "./policy_table.ts";
import { isAddressPort, renderPort, renderRanges, type SetMatches } from "./render_rule.ts";

/** Ports that one peer may reach, each as a rule begins with it. */
interface Reach {
  /** Undefined: everybody. */
  readonly peer: PeerMatch | undefined;
  readonly ports: Set<string>;
}

const ANY_PORT = "";
const EVERYBODY = "";

/**
 * Lays a policy's chain out for nft: each combination of a peer and a port would be a rule, so where a peer may reach
 * several ports, a chain of its own accepts these, which all policies share that name the same ones. On each change of
 * a chain the kernel walks through all chains and rules of the table: so there are few of both. The order of rules does
 * not matter: they accept and nothing else.
 *
 * @param sets what the rules begin with that are about a set
 * @returns the chain's rules as nft reads them
 */
export function layOutChain(chain: PolicyChain, sets: SetMatches): readonly string[] {
  const { direction, rules } = chain;
  const byPeer = reachesOf(chain).flatMap(({ peer, ports }) => {
    if (peer === undefined) return accept(ports);
    const matches = peer.kind === "set" ? sets(peer.set, direction) : renderRanges(peer, direction);
    return matches.map((match) => `${match} ${leadOn(ports)}`);
  });
  const targets = rules.flatMap(({ port }) =>
    isAddressPort(port) ? sets(port.set, direction).map((match) => `${match} accept`) : []
  );
  return [...new Set([...byPeer, ...targets])];
}

/** @returns name -> rules: the chains of ports that the chain jumps to */
export function portsChainsOf(chain: PolicyChain): ReadonlyMap<string, readonly string[]> {
  const several = reachesOf(chain).filter(({ peer, ports }) => peer !== undefined && ports.size > 1);
  return new Map(several.map(({ ports }) => [nameOf(ports), accept(ports)]));
}

/** No peer is there for what everybody may reach; where a port is any, no other is. */
function reachesOf({ direction, rules }: PolicyChain): Reach[] {
  const reaches = new Map<string, Reach>();
  for (const rule of rules) {
    if (isAddressPort(rule.port)) continue;
    const key = rule.peer === undefined ? EVERYBODY : keyOf(rule.peer, direction);
    const reach = reaches.get(key) ?? { peer: rule.peer, ports: new Set() };
    reaches.set(key, reach);
    for (const port of portsOf(rule)) reach.ports.add(port);
  }
  const open = reaches.get(EVERYBODY)?.ports ?? new Set();
  return [...reaches.values()].flatMap(({ peer, ports }): Reach[] => {
    const own = peer === undefined ? ports : open.has(ANY_PORT) ? new Set<string>() : ports.difference(open);
    if (own.size === 0) return [];
    return [{ peer, ports: new Set(own.has(ANY_PORT) ? [ANY_PORT] : [...own].sort()) }];
  });
}

function keyOf(peer: PeerMatch, direction: PolicyChain["direction"]): string {
  return peer.kind === "set" ? `@${peer.set}` : renderRanges(peer, direction).join("; ");
}

function portsOf({ port }: ChainRule): string[] {
  return port === undefined || isAddressPort(port) ? [ANY_PORT] : renderPort(port);
}

function accept(ports: ReadonlySet<string>): string[] {
  return [...ports].map((port) => (port === ANY_PORT ? "accept" : `${port} accept`));
}

function leadOn(ports: ReadonlySet<string>): string {
  const [only = "accept", ...more] = accept(ports);
  return more.length === 0 ? only : `jump ${nameOf(ports)}`;
}

function nameOf(ports: ReadonlySet<string>): string {
  return portsChainName([...ports].join("; "));
}
