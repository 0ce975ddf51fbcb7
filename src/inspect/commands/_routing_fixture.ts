/** A node with one pod that serves an anycast address, as every source tells of it. */
import { assert } from "@std/assert";
import { parseAddress } from "../../ip/address.ts";
import type { AgentSnapshot, PodSnapshot } from "../../snapshot/agent_snapshot.ts";
import { parseRuleset } from "../../trace/parse_ruleset.ts";
import type { BgpRoutes } from "../read_bgp.ts";
import type { Report } from "../report.ts";
import type { Gathered, Sources } from "../sources.ts";
import { COMMANDS } from "./commands.ts";

export const NOW = Date.parse("2026-11-21T12:00:00Z");
export const AT = "2026-11-21T11:00:00.000Z";
export const ROUTER = "192.0.2.254";
export const LINK = "flock00000001";
export const ANYCAST = "198.51.100.53";

export const POD: PodSnapshot = {
  ...{ namespace: "default", name: "web-0", uid: "u1", containerId: "c1", ifname: "eth0", netns: "/run/netns/c1" },
  ...{ hostLink: LINK, podMac: "02:00:00:00:00:01", mtu: 1500, addresses: ["2001:db8::1", "192.0.2.1"] },
  ...{ state: "committed", since: AT, ready: true, terminating: false },
  anycast: [{ address: ANYCAST, advertised: true }],
};

export const AGENT: AgentSnapshot = {
  ...{ version: 1, at: AT, node: "node-a", agentVersion: "0.1.0", startedAt: AT, conditions: [], pods: [POD] },
  nodeConfig: {
    ...{ name: "node-a", generation: 1, reason: "Accepted", message: "in force", warnings: [] },
    inForce: {
      ...{ generation: 1, cidr6: ["2001:db8::/64"], cidr4: ["192.0.2.0/26"], asn: 65101 },
      peers: [{ address: ROUTER, asn: 65000 }],
    },
  },
  ...{ pools: [], advertised: ["2001:db8::/64", "192.0.2.0/26", `${ANYCAST}/32`], bird: { applied: true } },
  policy: {
    ...{ inForce: true, problems: [], policies: 1 },
    isolatedLinks: [
      { link: LINK, directions: ["ingress", "egress"] },
      { link: "flock00000002", directions: ["ingress"] },
    ],
  },
  ...{ watches: [], repairs: [], failures: [] },
};

const PEER = addressOf(ROUTER);
export const BGP: BgpRoutes = {
  channels: [{ peer: PEER, protocol: "peer4_c00002fe", established: true, imported: 3, exported: 2 }],
  originated: AGENT.advertised,
  exported: new Map([[ROUTER, ["192.0.2.0/26", `${ANYCAST}/32`]]]),
};

const WELL: Sources = {
  agent: AGENT,
  ...{ files: { problems: [] }, recorded: { problems: [] } },
  ...{ ends: new Map(), routes: [], tables: new Set(), isolation: new Set() },
  guard: { tables: [], rules: [], sets: new Map() } as unknown as Sources["guard"],
  anycast: {
    ...{ taken: new Set([1, 2]), own: new Set([1, 2]), groups: new Map([[2, { kind: "resilient", members: [1] }]]) },
    hops: [{ id: 1, key: "", link: LINK, family: 4 }],
    routes: [{ destination: ANYCAST, metric: 20, by: "nhid 2", whole: { address: addressOf(ANYCAST), group: 2 } }],
  },
  policies: {
    ruleset: parseRuleset(Deno.readTextFileSync(new URL("../../trace/testdata/full.json", import.meta.url))),
    names: { policies: ["default/web"], sets: new Map() },
  },
  nodeAddresses: new Set(["192.0.2.253"]),
  bgp: BGP,
  led: [],
  sessions: [{ peer: PEER, state: "Established", established: true, since: AT }],
};

/** @param words the command and what follows. @param odd sources that are otherwise than on a node that is well */
export function inspect(words: readonly string[], odd: Gathered = {}): Report {
  const [name, ...rest] = words;
  const command = COMMANDS.find((each) => each.name === name);
  assert(command !== undefined && command.refuse(rest) === undefined, words.join(" "));
  const looks = command.needs(rest).map((source) => [source, odd[source] ?? { seen: WELL[source] }] as const);
  return command.inspect(Object.fromEntries(looks), { words: rest, now: NOW });
}

/** @returns each finding in a line */
export function findingsOf({ findings }: Report): string[] {
  return findings.map(({ severity, subject, should, is }) => `${severity} ${subject}: ${should} | ${is}`);
}

/** @returns the text of every cell, row by row, of all sections */
export function rowsOf({ sections }: Report): string[] {
  return sections.flatMap(({ rows }) =>
    rows.map((row) => row.map((cell) => typeof cell === "string" ? cell : cell.text).join(" | "))
  );
}

export function addressOf(text: string): NonNullable<ReturnType<typeof parseAddress>> {
  const address = parseAddress(text);
  assert(address !== undefined, text);
  return address;
}
