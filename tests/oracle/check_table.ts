/** What a table must be before any packet is asked about: what nft would refuse, and what its types promise. */
import type { ChainRule, PolicyChain, PolicyTable } from "../../src/policy/policy_table.ts";

interface Range<N> {
  readonly first: N;
  readonly last: N;
}

/** @throws at names that nothing has or that nobody asks, sets in the wrong place, and ranges that are out of order */
export function checkTable({ sets, chains, pods }: PolicyTable): void {
  const jumps = [...pods.values()].flatMap(({ chains }) => Object.entries(chains));
  for (const [direction, names] of jumps) {
    for (const name of names) expect(chains.get(name)?.direction === direction, `pods ask ${name} for ${direction}`);
  }
  expectSame("chains", { named: jumps.flatMap(([, names]) => names), held: chains.keys() });
  const rules = [...chains.values()].flatMap((chain) => chain.rules.map((rule) => ({ rule, chain })));
  expectSame("sets", { named: rules.flatMap(({ rule }) => setsOf(rule)), held: sets.keys() });
  for (const { rule, chain } of rules) checkRule(rule, { chain, sets });
}

function setsOf({ peer, port }: ChainRule): string[] {
  return [peer, port].flatMap((match) => match?.kind === "set" ? [match.set] : []);
}

function checkRule(
  { peer, port }: ChainRule,
  { chain, sets }: { chain: PolicyChain; sets: PolicyTable["sets"] },
): void {
  if (peer?.kind === "set") {
    const type = sets.get(peer.set)?.type;
    expect(type?.kind === "address" && type.family === peer.family, `peers of IPv${peer.family} in ${peer.set}`);
  }
  if (peer?.kind === "ranges") {
    expect(peer.ranges.every(({ family }) => family === peer.family), "ranges of two families");
    expectApart(peer.ranges, 1n);
  }
  if (port?.kind === "ranges") expectApart(port.ranges, 1);
  if (port?.kind === "set") checkPortSet(port, { chain, sets });
}

function checkPortSet(
  port: Extract<NonNullable<ChainRule["port"]>, { kind: "set" }>,
  { chain, sets }: { chain: PolicyChain; sets: PolicyTable["sets"] },
): void {
  const type = sets.get(port.set)?.type;
  const isOfLinks = type?.kind === "linkPort" && chain.direction === "ingress" && port.family === undefined;
  const isOfAddresses = type?.kind === "addressPort" && chain.direction === "egress" && port.family === type.family;
  expect((isOfLinks || isOfAddresses) && type.protocol === port.protocol, `${chain.direction} ports in ${port.set}`);
}

function expectApart<N extends number | bigint>(ranges: readonly Range<N>[], one: N): void {
  expect(ranges.length > 0, "no range");
  for (const [i, { first, last }] of ranges.entries()) {
    const before = ranges[i - 1]?.last;
    expect(first <= last && (before === undefined || first > sum(before, one)), `${first}-${last} after ${before}`);
  }
}

function sum<N extends number | bigint>(a: N, b: N): number | bigint {
  return typeof a === "bigint" ? a + BigInt(b) : Number(a) + Number(b);
}

function expectSame(what: string, { named, held }: { named: readonly string[]; held: Iterable<string> }): void {
  const [asked, there] = [[...new Set(named)].sort().join(), [...held].sort().join()];
  expect(asked === there, `of ${what} ${asked} are asked, and ${there} are there`);
}

function expect(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`Cannot take the table: ${what}`);
}
