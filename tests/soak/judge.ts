/** What must be, compared with what is. Pure. */
import { hostLinkName, podMacOf } from "../../src/hash/container_hash.ts";
import type { NodeSight, ProcessView } from "./sight.ts";

/** What a node must have at a quiet moment, and nothing beside. */
export interface Expectation {
  /** Containers that live, with the addresses that their runtime was told. */
  readonly live: readonly { readonly id: string; readonly addresses: readonly string[] }[];
  /** Containers that nobody deleted, or whose deletion the disk refused: garbage collection owes their end, but not yet. */
  readonly owed: ReadonlySet<string>;
  readonly prefixes: readonly string[];
  /** Of the other nodes. */
  readonly otherPrefixes: readonly string[];
}

/** Of the agent, with room for what 110 pods at once need. */
const MOST: ProcessView = { fds: 64, children: 12, zombies: 0, residentMiB: 200, plugins: 0 };

/** @returns one line for each thing that is wrong; none: all is well */
export function judgeNode(sight: NodeSight, expected: Expectation): string[] {
  const live = expected.live.map(({ id }) => id);
  const paths = expected.live.flatMap(({ id, addresses }) =>
    addresses.map((address) => ({ path: `${address} ${hostLinkName(id)}`, mac: podMacOf(id) }))
  );
  const owed = sight.allocations.filter(({ containerId }) => expected.owed.has(containerId));
  const owedPaths = owed.flatMap(({ containerId, addresses }) =>
    addresses.map((address) => `${address} ${hostLinkName(containerId)}`)
  );
  return [
    ...compare("sandboxes of containerd", sight.sandboxes, live),
    ...compare("allocations", sight.allocations.map(({ containerId }) => containerId), live, expected.owed),
    ...sight.allocations.flatMap((allocation) => judgeAllocation(allocation, expected)),
    ...duplicates(sight.allocations.flatMap(({ addresses }) => addresses)),
    ...compare("links", sight.kernel.links, live.map(hostLinkName)),
    ...compare("routes to pods", sight.kernel.routes, paths.map(({ path }) => path)),
    ...compare("granted sources", sight.kernel.grants, paths.map(({ path }) => path), new Set(owedPaths)),
    ...compare("neighbours", sight.neighbours, paths.map(({ path, mac }) => `${path} ${mac}`)),
    ...compare("blackhole routes", sight.blackholes, expected.prefixes),
    ...compare("unobeyed deletions", sight.tombstones, []),
    ...compare("set aside or temporary files", sight.stateFiles.filter((name) => /corrupt|tmp/.test(name)), []),
    ...sight.sessions.filter((session) => !session.endsWith(" Established")).map((session) =>
      `BIRD session ${session}`
    ),
    ...compare("prefixes of other nodes in the kernel", sight.learned.filter(isPodPrefix), expected.otherPrefixes),
    ...judgeStatus(sight, expected),
    ...judgeProcesses(sight.processes),
  ];
}

/** @param actual prefix -> next hops. @param expected prefix -> the one next hop */
export function judgeRouter(
  actual: ReadonlyMap<string, readonly string[]>,
  expected: ReadonlyMap<string, string>,
): string[] {
  const pods = [...actual].filter(([prefix]) => isPodPrefix(prefix)).map(([prefix, hops]) => `${prefix} via ${hops}`);
  return compare("routes of the router", pods, [...expected].map(([prefix, hop]) => `${prefix} via ${hop}`));
}

/** Ranges from which the lab's nodes serve pods, any length: host routes must not be left behind either. */
function isPodPrefix(prefix: string): boolean {
  return /^(198\.1[89]\.|203\.0\.113\.|2001:db8:f00)/.test(prefix);
}

function judgeAllocation(seen: NodeSight["allocations"][number], { live }: Expectation): string[] {
  const alive = live.find(({ id }) => id === seen.containerId);
  if (alive === undefined) return [];
  const wrong = compare(`addresses of ${seen.containerId}`, seen.addresses, alive.addresses);
  return seen.state === "committed" ? wrong : [...wrong, `allocation of live ${seen.containerId} is ${seen.state}`];
}

function judgeStatus({ status }: NodeSight, { prefixes }: Expectation): string[] {
  if (status === undefined) return [];
  return [
    ...compare("advertised prefixes in status", status.advertised, prefixes),
    ...compare("conditions", status.conditions, ["BGPEstablished=True", "Ready=True"]),
  ];
}

function judgeProcesses(actual: ProcessView): string[] {
  const names = ["fds", "children", "zombies", "residentMiB", "plugins"] as const;
  return names.filter((name) => actual[name] > MOST[name])
    .map((name) => `agent: ${name} ${actual[name]}, at most ${MOST[name]}`);
}

function duplicates(items: readonly string[]): string[] {
  return [...new Set(items.filter((item, index) => items.indexOf(item) !== index))].map((item) =>
    `${item} is given twice`
  );
}

function compare(
  what: string,
  actual: readonly string[],
  expected: readonly string[],
  allowed: ReadonlySet<string> = new Set(),
): string[] {
  const missing = expected.filter((item) => !actual.includes(item)).map((item) => `${what}: ${item} is missing`);
  const extra = actual.filter((item) => !expected.includes(item) && !allowed.has(item))
    .map((item) => `${what}: ${item} is too much`);
  return [...missing, ...extra].sort();
}
