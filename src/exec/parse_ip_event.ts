/** What `ip -o monitor label ...` prints, one line for each message of the kernel (ip-monitor(8)). Pure. */

export interface LinkEvent {
  readonly kind: "link";
  readonly gone: boolean;
  /** The kernel's number of the link, which outlives a new name. */
  readonly index: number;
  readonly link: string;
  readonly up: boolean;
  /** Whether the other end is up too. */
  readonly carrier: boolean;
  /** Bytes. */
  readonly mtu: number;
  /** Empty where the link has none. */
  readonly mac: string;
  /** The bridge, VRF and so on that it is a port of. */
  readonly master?: string;
  /** False where it is told not to resolve neighbours. */
  readonly arp: boolean;
  /** Empty where the link has none. */
  readonly alias: string;
}

export interface AddressEvent {
  readonly kind: "address";
  readonly gone: boolean;
  readonly link: string;
  readonly address: string;
  readonly length: number;
  /** Everything that follows the address: scope, flags, lifetimes. */
  readonly words: readonly string[];
}

export interface RouteEvent {
  readonly kind: "route";
  readonly gone: boolean;
  readonly family: 4 | 6;
  /** `unicast` where ip says nothing; `blackhole`, `local` and so on. */
  readonly type: string;
  /** As ip prints it: `default`, a prefix, or an address for a prefix of one address. */
  readonly destination: string;
  /** Absent for types that lead nowhere, and for several next hops. */
  readonly link?: string;
  readonly protocol?: string;
  readonly metric?: string;
  /** Absent: main. */
  readonly table?: string;
  /** Every other word, in order: scope (but `global`), next hops, metrics, flags. */
  readonly details: readonly string[];
}

export interface NeighborEvent {
  readonly kind: "neighbor";
  readonly gone: boolean;
  readonly link: string;
  readonly address: string;
  /** Empty where it is not known. */
  readonly mac: string;
  readonly permanent: boolean;
}

/** Of a nexthop object, single or group (ip-nexthop(8)). */
export interface NexthopEvent {
  readonly kind: "nexthop";
  readonly gone: boolean;
  readonly id: number;
  /** Everything that follows the id: via, device or group, flags. */
  readonly words: readonly string[];
}

export type IpEvent = LinkEvent | AddressEvent | RouteEvent | NeighborEvent | NexthopEvent;

/** The words behind `ip` that make it print what this file reads, for as long as it lives. Without `-d` it tells no alias. */
export const IP_MONITOR = ["-o", "-d", "monitor", "label", "link", "address", "route", "neigh", "nexthop"] as const;

const LABEL = /^\[(LINK|ADDR|ROUTE|NEIGH|NEXTHOP)\](Deleted )?(.*)$/;
const LINK = /^(\d+): ([^\s@:]+)(?:@[^\s:]+)?: <([^>]*)> (.*?)(?:\\\s+alias (.*))?$/;
const ADDRESS = /^\d+: (\S+)\s+inet6? ([0-9a-f.:]+)(?: peer \S+?)?\/(\d+) (.*)$/;
const TYPES = new Set(
  ["unicast", "local", "broadcast", "multicast", "anycast", "blackhole", "unreachable", "prohibit", "throw"],
);

/** What ip prints when messages were lost (its socket overran): nothing is known any more. */
export function isLoss(line: string): boolean {
  return line.startsWith("netlink receive error");
}

/** @returns undefined for a line of another kind */
export function parseIpEvent(line: string): IpEvent | undefined {
  const [, label, deleted, text = ""] = LABEL.exec(line) ?? [];
  const gone = deleted !== undefined;
  switch (label) {
    case "LINK":
      return parseLink(text, gone);
    case "ADDR":
      return parseAddress(text, gone);
    case "ROUTE":
      return parseRoute(text, gone);
    case "NEIGH":
      return parseNeighbor(text, gone);
    case "NEXTHOP":
      return parseNexthop(text, gone);
    default:
      return undefined;
  }
}

/** A bridge tells of its ports in messages of its own, that are not about the link: those name no qdisc, and a port that leaves as deleted. */
function parseLink(text: string, gone: boolean): LinkEvent | undefined {
  const [, index, link, names, rest = "", alias = ""] = LINK.exec(text) ?? [];
  if (link === undefined || names === undefined) return undefined;
  const { mtu, qdisc, master } = takePairs(rest.split(/\s+/), ["mtu", "qdisc", "master"]).values;
  if (qdisc === undefined) return undefined;
  const [, mac = ""] = /link\/\S+ ([0-9a-f:]{17})\b/.exec(rest) ?? [];
  const flags = names.split(",");
  return {
    ...{ kind: "link", gone, index: Number(index), link, mtu: Number(mtu), mac },
    ...{ up: flags.includes("UP"), carrier: flags.includes("LOWER_UP") },
    ...(master === undefined ? {} : { master }),
    ...{ arp: !flags.includes("NOARP"), alias },
  };
}

function parseAddress(text: string, gone: boolean): AddressEvent | undefined {
  const [, link, address, length, rest] = ADDRESS.exec(text) ?? [];
  if (link === undefined || address === undefined || rest === undefined) return undefined;
  return { kind: "address", gone, link, address, length: Number(length), words: rest.split(/\s+/) };
}

function parseRoute(text: string, gone: boolean): RouteEvent {
  const words = text.trim().split(/\s+/);
  const type = TYPES.has(words[0] ?? "") ? words.shift() ?? "" : "unicast";
  const { values, others } = takePairs(words.slice(1), ["dev", "proto", "metric", "table", "scope", "pref"]);
  const { dev: link, proto: protocol, metric, table, scope, pref } = values;
  const family = text.includes(":") || pref !== undefined ? 6 : 4;
  const notable = [["scope", scope, "global"], ["pref", pref, "medium"]].flatMap(([word, value, usual]) =>
    value === undefined || value === usual ? [] : [`${word} ${value}`]
  );
  return {
    ...{ kind: "route", gone, family, type, destination: words[0] ?? "", details: [...notable, ...others] },
    ...(link === undefined ? {} : { link }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(metric === undefined ? {} : { metric }),
    ...(table === undefined || table === "main" ? {} : { table }),
  };
}

/** @returns what follows the first of each of these words, and all that is left */
function takePairs<Word extends string>(
  words: readonly string[],
  wanted: readonly Word[],
): { values: Partial<Record<Word, string>>; others: string[] } {
  const values: Partial<Record<Word, string>> = {};
  const others = [...words];
  for (const word of wanted) {
    const at = others.indexOf(word);
    const [, value] = at < 0 ? [] : others.splice(at, 2);
    if (value !== undefined) values[word] = value;
  }
  return { values, others };
}

function parseNeighbor(text: string, gone: boolean): NeighborEvent | undefined {
  const words = text.split(/\s+/);
  const [address, dev, link] = words;
  if (address === undefined || dev !== "dev" || link === undefined) return undefined;
  const at = words.indexOf("lladdr");
  const mac = at < 0 ? "" : words[at + 1] ?? "";
  return { kind: "neighbor", gone, link, address, mac, permanent: words.includes("PERMANENT") };
}

function parseNexthop(text: string, gone: boolean): NexthopEvent | undefined {
  const [word, id, ...words] = text.trim().split(/\s+/);
  return word === "id" ? { kind: "nexthop", gone, id: Number(id), words } : undefined;
}
