/** What is not flock's: other links, addresses, routes, rules, tables, sysctls and files stay as they were before it came. */
import { CNI_CONFIG_DIR, NETNS_DIR } from "../../../src/paths/paths.ts";
import type { LabNode } from "../../lab/node.ts";
import { compare } from "./compare.ts";
import { isHostEnd } from "./ends.ts";
import { parseGuard } from "./guard.ts";
import { describeAddresses, describeLink, describeRoute, type KernelSight, readKernel, type Row } from "./kernel.ts";

/** Whose routes are judged elsewhere: flock's and BIRD's. */
const JUDGED_PROTOCOLS = ["70", "bird"];
const CONFLIST_NAME = "01-flock.conflist";

/** What flock adds to `lo` (spec section 6), and by what it knows the node's own network namespace. */
const ADDED = ["lo 169.254.1.1/32 scope host", "lo altname flock-node", routeOfNextHop()];

/** A firewall script's table; `nft flush ruleset` comes before it. */
const OPERATORS_TABLE = `
table inet operator {
  set own4 { type ifname . ipv4_addr; elements = { "flockops" . 10.99.0.2 }; }
  chain input {
    type filter hook input priority 5; policy accept;
    ip saddr 10.99.0.66 drop
  }
}
`;

/** An operator's: near flock's own by name, protocol number and kind, so that a careless sweep would take it. */
const PLANT_SCRIPT = `set -e
  ip link add flockops type veth peer name opsflock
  for l in flockops opsflock; do ip link set $l addrgenmode none; ip link set $l up; done
  ip address add 10.99.0.1/24 dev flockops
  ip address add fd99::1/64 dev flockops nodad
  ip route add 10.98.0.0/24 via 10.99.0.2 proto 71
  ip route add fd98::/64 via fd99::2 proto 71 table 99
  ip rule add pref 1000 from 10.99.0.0/24 lookup 99
  ip neigh add 10.99.0.2 lladdr 02:00:00:00:00:02 dev flockops nud permanent
  ip netns add operator
  echo '# nobody reads this' >${CNI_CONFIG_DIR}/99-operator.txt`;

/** Gives the node things of an operator's. */
export async function plantForeign(node: LabNode): Promise<void> {
  await node.output(["sh", "-c", PLANT_SCRIPT]);
  await node.output(["nft", "-f", "-"], { stdin: OPERATORS_TABLE });
}

/** Takes every table, flock's too, and puts the operator's back: what firewall scripts do. */
export async function rerunFirewall(node: LabNode): Promise<void> {
  await node.output(["nft", "-f", "-"], { stdin: `flush ruleset\n${OPERATORS_TABLE}` });
}

/** @returns one line for each foreign thing; `await readForeign(node, await readKernel(node))` before flock comes is what must stay */
export async function readForeign(node: LabNode, kernel: KernelSight): Promise<readonly string[]> {
  const script = `ls -A ${CNI_CONFIG_DIR} | sed 's/^/file /'; ls -A ${NETNS_DIR} | sed 's/^/netns /'`;
  const names = (await node.output(["sh", "-c", script])).split("\n");
  const foreign = names.filter((name) => name !== "" && !name.startsWith("netns cni-"));
  return [...describeForeign(kernel), ...foreign.filter((name) => name !== `file ${CONFLIST_NAME}`)];
}

/** @returns the same before anything of flock's has run */
export async function snapshotForeign(node: LabNode): Promise<readonly string[]> {
  return await readForeign(node, await readKernel(node));
}

export function describeForeign(
  { links, addresses, routes, rules, neighbours, ruleset, sysctls }: KernelSight,
): string[] {
  const others = links.filter(({ ifname }) => !isHostEnd(ifname));
  return [
    ...others.flatMap(describeLink),
    ...others.flatMap(describeAltnames),
    ...addresses.filter(({ ifname }) => !isHostEnd(ifname)).flatMap(describeAddresses),
    ...routes.filter(isForeignRoute).map(describeRoute),
    ...rules.map((rule) => `rule ${JSON.stringify(rule)}`),
    ...neighbours.filter(({ dev }) => !isHostEnd(dev)).map((row) =>
      `neighbour ${row["dst"]} ${row["dev"]} ${row["lladdr"]}`
    ),
    ...parseGuard(ruleset).foreign.map((object) => `nft ${object}`),
    ...[...sysctls].filter(([name]) => !isHostEnd(name.split("/")[2])).map(([name, value]) => `${name} = ${value}`),
  ];
}

/** The kernel makes anycast routes when forwarding goes on; those of a host end come and go with it. */
function isForeignRoute({ protocol, type, dev }: Row): boolean {
  return !JUDGED_PROTOCOLS.includes(String(protocol)) && type !== "anycast" && !isHostEnd(dev);
}

function describeAltnames({ ifname, altnames }: Row): string[] {
  return Array.isArray(altnames) ? altnames.map((name) => `${ifname} altname ${name}`) : [];
}

/** @param before as it was when there was no flock; of a link that is not in there the link itself is told, not its sysctls */
export function judgeForeign(now: readonly string[], before: readonly string[]): string[] {
  const known = new Set(before.map(linkOfSysctl));
  return compare("what is not flock's", now.filter((line) => known.has(linkOfSysctl(line))), [
    ...before.map(withForwarding),
    ...ADDED,
  ]);
}

/** @returns undefined where the line is of something else */
function linkOfSysctl(line: string): string | undefined {
  return /^ipv[46]\/conf\/([^/]+)\//.exec(line)?.[1];
}

/**
 * With forwarding on, every link forwards, the kernel takes no redirects on any (`inet_forward_change()`), and links that listened to
 * router advertisements go on doing so (spec section 6).
 */
function withForwarding(line: string): string {
  if (/^ipv[46]\/conf\/[^/]+\/forwarding = 0$/.test(line)) return line.replace(/0$/, "1");
  if (/^ipv4\/ip_forward = 0$|^ipv[46]\/fib_multipath_hash_policy = 0$/.test(line)) return line.replace(/0$/, "1");
  if (line === "ipv4/conf/all/accept_redirects = 1") return line.replace(/1$/, "0");
  return /^ipv6\/conf\/(?!all\/|default\/)[^/]+\/accept_ra = 1$/.test(line) ? line.replace(/1$/, "2") : line;
}

function routeOfNextHop(): string {
  return "local 169.254.1.1 dev lo table local proto kernel scope host src 169.254.1.1";
}
