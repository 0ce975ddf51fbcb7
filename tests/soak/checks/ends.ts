/** Both ends of every pod's link: what they are, and what hangs on them. */
import { hostLinkName, podMacOf } from "../../../src/hash/container_hash.ts";
import { parseAddress } from "../../../src/ip/address.ts";
import { records } from "../../lab/json.ts";
import type { LabNode } from "../../lab/node.ts";
import { compare } from "./compare.ts";
import { type Expectation, familyOf, type LiveContainer } from "./expectation.ts";
import { describeAddresses, describeLink, describeRoute, type KernelSight, type Row } from "./kernel.ts";
import { asPrefix } from "./routes.ts";

const HOST_MAC = "02:66:6c:6f:63:6b";
const NEXT_HOP = { 4: "169.254.1.1", 6: "fe80::1" } as const;
/** The kernel's own, which come with an address. */
const KERNELS = "kernel";

/** What is in one pod's network namespace. */
export interface PodSight {
  /** `device:inode:birth` of the namespace; empty: there is none. */
  readonly netnsId: string;
  readonly links: readonly Row[];
  readonly addresses: readonly Row[];
  readonly routes: readonly Row[];
  readonly neighbours: readonly Row[];
}

/** Six lines for each namespace, whatever goes wrong. */
const PODS_SCRIPT = `
  show() { out=$(ip -n "$n" -j "$@" 2>/dev/null | tr -d '\\n'); echo "\${out:-[]}"; }
  for n in "$@"; do
    echo "$n"
    echo "$(stat -L -c %d:%i:%.3Y "/run/netns/$n" 2>/dev/null)"
    show -d link show; show address show; show -d route show table all; show neigh show nud permanent
  done`;

/** netns as the runtime names it -> what is in it */
export async function readPods(node: LabNode, live: readonly LiveContainer[]): Promise<ReadonlyMap<string, PodSight>> {
  if (live.length === 0) return new Map();
  const names = live.map(({ netns }) => netns.replace(/^.*\//, ""));
  const lines = (await node.output(["sh", "-c", PODS_SCRIPT, "sh", ...names], { timeoutMs: 30_000 })).split("\n");
  return new Map(live.map(({ netns }, index) => [netns, parsePod(lines.slice(index * 6 + 1, index * 6 + 6))]));
}

function parsePod([netnsId = "", ...json]: readonly string[]): PodSight {
  const [links = [], addresses = [], routes = [], neighbours = []] = json.map((text) => records(JSON.parse(text)));
  return { netnsId: netnsId.replace(".", ""), links, addresses, routes, neighbours };
}

export function judgeEnds(
  { kernel, pods }: {
    readonly kernel: Pick<KernelSight, "links" | "addresses" | "neighbours">;
    readonly pods: ReadonlyMap<string, PodSight>;
  },
  { live }: Pick<Expectation, "live">,
): string[] {
  const mtu = Number(kernel.links.find(({ ifname }) => ifname === "up0")?.["mtu"]);
  const judged = live.flatMap((container) => {
    const pod = pods.get(container.netns);
    return [
      ...judgeHostEnd(kernel, { container, netnsId: pod?.netnsId ?? "", mtu }),
      ...judgePodEnd(pod, { container, mtu }),
      ...judgePair(kernel, { container, pod }),
    ];
  });
  const known = new Set(live.map(({ id }) => hostLinkName(id)));
  const names = kernel.links.map(({ ifname }) => String(ifname)).filter(isHostEnd);
  const strangers = kernel.neighbours.filter(({ dev }) => isHostEnd(dev) && !known.has(String(dev)))
    .map(({ dst, dev }) => `neighbours: ${dst} ${dev} is too much`);
  return [...compare("links", names, [...known]), ...judged, ...strangers];
}

/** @returns whether it is named as host ends are */
export function isHostEnd(name: unknown): boolean {
  return /^flock[0-9a-f]{8}$/.test(String(name));
}

function judgeHostEnd(
  { links, addresses, neighbours }: Pick<KernelSight, "links" | "addresses" | "neighbours">,
  { container, netnsId, mtu }: { container: LiveContainer; netnsId: string; mtu: number },
): string[] {
  const { id, netns } = container;
  const name = hostLinkName(id);
  const link = links.filter(({ ifname }) => ifname === name);
  const alias = `${name} alias ${id} eth0 ${netns} ${netnsId} flock`;
  return [
    ...compare("host ends", link.flatMap((row) => [...describeLink(row), `${name} alias ${row["ifalias"]}`]), [
      ...plainLink(name, { mtu, mac: HOST_MAC }),
      alias,
    ]),
    ...compare(
      "addresses of host ends",
      addresses.filter(({ ifname }) => ifname === name).flatMap(describeAddresses),
      container.addresses.some((address) => familyOf(address) === 6) ? [`${name} ${NEXT_HOP[6]}/64 scope link`] : [],
    ),
    ...compare(
      "neighbours",
      neighbours.filter(({ dev }) => dev === name).map(describeNeighbour),
      container.addresses.map((address) => `${address} dev ${name} lladdr ${podMacOf(id)}`),
    ),
  ];
}

function judgePodEnd(
  pod: PodSight | undefined,
  { container: { id, addresses, anycast }, mtu }: { container: LiveContainer; mtu: number },
): string[] {
  const what = (part: string): string => `${part} of pod ${hostLinkName(id)}`;
  const families = [...new Set(addresses.map(familyOf))];
  const of = (name: string, rows: readonly Row[] = []): Row[] => rows.filter(({ ifname }) => ifname === name);
  const routes = (pod?.routes ?? []).filter(({ protocol }) => protocol !== KERNELS);
  return [
    ...compare(what("links"), (pod?.links ?? []).map(({ ifname }) => String(ifname)), ["lo", "eth0"]),
    ...compare(
      what("eth0"),
      of("eth0", pod?.links).flatMap(describeLink),
      plainLink("eth0", { mtu, mac: podMacOf(id) }),
    ),
    ...compare(what("addresses"), of("eth0", pod?.addresses).flatMap(describeAddresses), [
      ...addresses.map((address) => `eth0 ${asPrefix(address)} scope global`),
      ...(families.includes(6) ? [`eth0 ${linkLocalOf(podMacOf(id))}/64 scope link`] : []),
    ]),
    ...compare(what("lo"), of("lo", pod?.addresses).flatMap(describeAddresses), [
      ...["127.0.0.1/8", "::1/128"].map((own) => `lo ${own} scope host`),
      ...anycast.map((address) => `lo ${asPrefix(address)} scope global`),
    ]),
    ...compare(what("routes"), routes.map(describeRoute), families.map(defaultRoute)),
    ...compare(
      what("neighbours"),
      (pod?.neighbours ?? []).map(describeNeighbour),
      families.map((family) => `${NEXT_HOP[family]} dev eth0 lladdr ${HOST_MAC}`),
    ),
  ];
}

/** The two ends are of one link: each names the other's index. */
function judgePair(
  { links }: Pick<KernelSight, "links">,
  { container: { id }, pod }: { container: LiveContainer; pod: PodSight | undefined },
): string[] {
  const host = links.find(({ ifname }) => ifname === hostLinkName(id));
  const end = pod?.links.find(({ ifname }) => ifname === "eth0");
  if (host === undefined || end === undefined) return []; // named above
  const paired = host["link_index"] === end["ifindex"] && end["link_index"] === host["ifindex"];
  return paired ? [] : [`${hostLinkName(id)} is not the other end of its pod's eth0`];
}

function plainLink(name: string, { mtu, mac }: { mtu: number; mac: string }): string[] {
  return [`${name} mtu ${mtu}`, `${name} address ${mac}`, `${name} addrgenmode none`, `${name} up`];
}

function describeNeighbour({ dst, dev, lladdr }: Row): string {
  return `${dst} dev ${dev} lladdr ${lladdr}`;
}

function defaultRoute(family: 4 | 6): string {
  const metric = family === 6 ? " metric 1024" : "";
  return `unicast default via ${NEXT_HOP[family]} dev eth0 table main proto boot scope global${metric}`;
}

/** RFC 4291, appendix A; as the kernel writes it, without a group of zeros beside the others. */
export function linkLocalOf(mac: string): string {
  const bytes = mac.split(":").map((byte) => parseInt(byte, 16));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  const groups = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f];
  const text = `fe80::${groups.map((group) => group.toString(16)).join(":")}`;
  return parseAddress(text)?.text ?? text;
}
