import { contains, parseAddress, parsePrefix, type Prefix } from "../../ip/address.ts";
import { type Belief, beliefOf, nameOf } from "../belief.ts";
import { deadAgentFindings } from "../findings/agent_findings.ts";
import { originFindings } from "../findings/origin_findings.ts";
import { sessionFindings } from "../findings/session_findings.ts";
import type { BgpRoutes } from "../read_bgp.ts";
import type { Cell, Report } from "../report.ts";
import { type Gathered, seen } from "../sources.ts";
import { type Command, refuseWords } from "./command.ts";

/** Sessions, what they carry, and what routers are told. */
export const bgp: Command = {
  name: "bgp",
  parameters: "",
  summary: "sessions with the routers, routes in and out, and who is told of which prefix",
  refuse: refuseWords,
  needs: () => ["agent", "files", "sessions", "bgp"],
  inspect: inspectBgp,
};

function inspectBgp(gathered: Gathered): Report {
  const belief = beliefOf(gathered);
  const peers = peersOf(gathered, belief);
  const prefixes = prefixesOf(gathered, belief);
  return {
    fields: { peers, prefixes },
    findings: [
      ...sessionFindings(gathered, belief),
      ...originFindings(gathered),
      ...deadAgentFindings(gathered, belief),
    ],
    sections: [
      {
        title: "sessions",
        columns: ["peer", "as", "state", "since", "routes in", "told", "last error"].map((title) => ({ title })),
        rows: peers.map(({ peer, asn, state, established, since, imported, exported, lastError }): Cell[] => [
          ...[peer, asn === undefined ? "?" : `${asn}`],
          { text: state, tone: established ? "good" : "bad" },
          ...[since ?? "", `${imported ?? "-"}`, `${exported ?? "-"}`, lastError ?? ""],
        ]),
      },
      {
        title: "prefixes",
        columns: ["prefix", "of", "originated", "told to"].map((title) => ({ title })),
        rows: prefixes.map(({ prefix, of, originated, toldTo }): Cell[] => [
          ...[prefix, of],
          originated ? { text: "yes", tone: "good" } : { text: "no", tone: "bad" },
          toldTo.length === 0 ? { text: "nobody", tone: "warn" } : toldTo.join(", "),
        ]),
      },
    ],
  };
}

interface PeerRow {
  readonly peer: string;
  /** Absent: the NodeConfig does not name it, or is not known. */
  readonly asn?: number;
  readonly state: string;
  readonly established: boolean;
  readonly since?: string;
  readonly imported?: number;
  readonly exported?: number;
  readonly lastError?: string;
}

/** Those that should be, and those that BIRD has beside. */
function peersOf(gathered: Gathered, { nodeConfig }: Belief): PeerRow[] {
  const [sessions, routes] = [seen(gathered.sessions) ?? [], seen(gathered.bgp)];
  const asns = new Map(nodeConfig?.peers.map(({ address, asn }) => [address, asn]));
  const names = new Set([...asns.keys(), ...sessions.map(({ peer }) => peer.text)]);
  return [...names].map((peer) => {
    const session = sessions.find((each) => each.peer.text === peer);
    const counts = routes?.channels.find((each) => each.peer.text === peer);
    const asn = asns.get(peer);
    return {
      peer,
      ...(asn === undefined ? {} : { asn }),
      ...{ state: session?.state ?? "missing", established: session?.established === true },
      ...(session?.since === undefined ? {} : { since: session.since }),
      ...(counts?.imported === undefined ? {} : { imported: counts.imported }),
      ...(counts?.exported === undefined ? {} : { exported: counts.exported }),
      ...(session?.lastError === undefined ? {} : { lastError: session.lastError }),
    };
  });
}

interface PrefixRow {
  readonly prefix: string;
  /** `node CIDR`, `anycast of default/dns`, `address of default/web-0`. */
  readonly of: string;
  readonly originated: boolean;
  /** Peers whose session is up. */
  readonly toldTo: readonly string[];
}

function prefixesOf(gathered: Gathered, belief: Belief): PrefixRow[] {
  const [agent, routes] = [seen(gathered.agent), seen(gathered.bgp)];
  const known = new Set([...agent?.advertised ?? [], ...routes?.originated ?? []]);
  return [...known].map((prefix) => ({
    ...{ prefix, of: ownerOf(prefix, belief), originated: routes?.originated.includes(prefix) === true },
    toldTo: toldTo(prefix, routes),
  }));
}

/** @returns the peers that are told of the prefix */
export function toldTo(prefix: string, routes: BgpRoutes | undefined): string[] {
  return [...routes?.exported ?? []].filter(([, prefixes]) => prefixes.includes(prefix)).map(([peer]) => peer);
}

function ownerOf(text: string, { nodeConfig, pods }: Belief): string {
  if ([...nodeConfig?.cidr6 ?? [], ...nodeConfig?.cidr4 ?? []].includes(text)) return "node CIDR";
  const prefix = parsePrefix(text);
  const anycast = pods.filter((pod) => pod.anycast.some(({ address }) => isIn(prefix, address)));
  if (anycast.length > 0) return `anycast of ${anycast.map(nameOf).join(", ")}`;
  const owners = pods.filter((pod) => pod.addresses.some((address) => isIn(prefix, address)));
  return owners.length > 0 ? `address of ${owners.map(nameOf).join(", ")}` : "nobody that is known";
}

/** Says whether the prefix has the address. */
export function isIn(prefix: Prefix | undefined, text: string): boolean {
  const address = parseAddress(text);
  return prefix !== undefined && address !== undefined && contains(prefix, address);
}
