/** A node with two pods, as its agent, its kernel and BIRD tell it; tests take away what they want to be missing. */
import type { CommandResult, CommandRunner } from "../exec/command_runner.ts";
import { hostLinkName } from "../hash/container_hash.ts";
import { HOST_MAC } from "../link/host_mac.ts";
import { type AgentSnapshot, type PodSnapshot, SNAPSHOT_VERSION } from "../snapshot/agent_snapshot.ts";
import { COMMANDS } from "./commands/commands.ts";
import { look, type Looked } from "./look.ts";
import { readBgp, readLed } from "./read_bgp.ts";
import { readBirdSessions } from "./read_bird.ts";
import { nodeReaders, once, readFiles } from "./read_files.ts";
import { kernelReaders } from "./read_kernel.ts";
import { readNodeAddresses } from "./read_node_addresses.ts";
import { readPolicies } from "./read_policies.ts";
import { createReadingRunner } from "./reading_runner.ts";
import { Silent, type SourceReaders } from "./sources.ts";

export const NOW = Date.parse("2026-03-01T12:00:00Z");
const SINCE = "2026-03-01T11:00:00.000Z";
const MTU = 1500;
const CIDRS = { cidr6: ["2001:db8:f001::/64"], cidr4: ["203.0.113.0/26"] };
const PEERS = [{ address: "192.0.2.1", asn: 65000 }, { address: "2001:db8:1::1", asn: 65000 }];
const LASTING = { "valid_life_time": 4294967295, "preferred_life_time": 4294967295 };

/** @param last of its addresses, and of its MAC */
export function podOf(name: string, last: number, more: Partial<PodSnapshot> = {}): PodSnapshot {
  const containerId = `c${last}`;
  return {
    ...{ namespace: "default", name, uid: `uid-${last}`, containerId, ifname: "eth0", netns: `/run/netns/${name}` },
    ...{ hostLink: hostLinkName(containerId), podMac: `02:00:00:00:00:0${last}`, mtu: MTU, state: "committed" },
    ...{ addresses: [`2001:db8:f001::${last}`, `203.0.113.${last}`], since: SINCE, ready: true, terminating: false },
    ...{ annotations: {}, anycast: [], lastRequestId: `request-${last}` },
    lastRequest: { verb: "ADD", at: SINCE, ms: 12 },
    ...more,
  };
}

/** Of a node on which all is well: `web` serves an anycast address, `db` is isolated by a policy. */
export function snapshotOf(more: Partial<AgentSnapshot> = {}): AgentSnapshot {
  const web = podOf("web", 2, { anycast: [{ address: "198.51.100.7", advertised: true }] });
  const db = podOf("db", 3);
  const inForce = { generation: 3, ...CIDRS, asn: 65101, peers: PEERS };
  return {
    ...{ version: SNAPSHOT_VERSION, at: new Date(NOW).toISOString(), node: "node-a", agentVersion: "0.1.0" },
    startedAt: SINCE,
    nodeConfig: { name: "node-a", generation: 3, reason: "Accepted", message: "in force", warnings: [], inForce },
    conditions: [{ type: "Ready", status: "True", reason: "Accepted", message: "in force", since: SINCE }],
    pods: [web, db],
    pools: [
      { cidr: "2001:db8:f001::/64", family: 6, usable: "18446744073709551615", used: 2, resting: 0 },
      { cidr: "203.0.113.0/26", family: 4, usable: "61", used: 2, resting: 1 },
    ],
    advertised: ["198.51.100.7/32", "2001:db8:f001::/64", "203.0.113.0/26"],
    bird: { applied: true },
    sessions: PEERS.map(({ address }) => ({ peer: address, state: "Established", established: true, since: SINCE })),
    policy: {
      ...{ inForce: true, problems: [], policies: 1 },
      isolatedLinks: [{ link: db.hostLink, directions: ["ingress"] }],
    },
    watches: [{ resource: "pods", scope: "node", synced: true, ageS: 3 }],
    ...{ repairs: [], failures: [] },
    ...more,
  };
}

export interface NodeWorld {
  /** Undefined: no agent listens. */
  readonly agent?: AgentSnapshot | undefined;
  /** What the kernel and BIRD were made from. Default: the agent's, or that of `snapshotOf`. */
  readonly made?: AgentSnapshot;
  /** Files by path. Default: none. */
  readonly files?: ReadonlyMap<string, string | Uint8Array<ArrayBuffer>>;
  /** Answers in place of what a tool would say; undefined: as it would. */
  answer?(argv: string): Partial<CommandResult> | undefined;
}

/** What was run, and what came of it. */
export interface Visit extends Looked {
  readonly argvs: readonly string[];
}

/** Does what `flock inspect WORDS` does, but for printing. */
export async function visit(line: string, world: NodeWorld = {}): Promise<Visit> {
  const [name, ...words] = line.split(" ");
  const command = COMMANDS.find((each) => each.name === name);
  if (command === undefined) throw new Error(`Cannot visit: there is no command "${name}"`);
  const argvs: string[] = [];
  const readers = (): SourceReaders => readersOf(world, { words, note: (argv) => argvs.push(argv) });
  const looked = await look({ command, words, readers, now: () => NOW, pause: () => Promise.resolve() });
  return { ...looked, argvs };
}

function readersOf(
  world: NodeWorld,
  { words, note }: { words: readonly string[]; note(argv: string): void },
): SourceReaders {
  const { files = new Map() } = world;
  const agent = "agent" in world ? world.agent : snapshotOf();
  const tools = toolsOf(world.made ?? agent ?? snapshotOf());
  const run: CommandRunner["run"] = (argv) => {
    const text = argv.join(" ");
    note(text);
    return Promise.resolve({ code: 0, stdout: "", stderr: "", ...world.answer?.(text) ?? tools(text) });
  };
  const runner = createReadingRunner({ run });
  const read = async (path: string): Promise<Uint8Array<ArrayBuffer>> => {
    const held = await Promise.resolve(files.get(path));
    if (held === undefined) throw new Deno.errors.NotFound(`No such file: ${path}`);
    return typeof held === "string" ? new TextEncoder().encode(held) : held;
  };
  const ask = once(() => agent === undefined ? Promise.reject(new Silent("nobody listens")) : Promise.resolve(agent));
  return {
    ...nodeReaders({
      agent: ask,
      recorded: once(() => readFiles({ state: "/state", nodeConfig: "/nodeconfig" }, read)),
    }),
    sessions: () => readBirdSessions(runner),
    bgp: () => readBgp(runner),
    led: () => readLed(runner, words),
    policies: () => readPolicies(runner, async () => new TextDecoder().decode(await read("/names"))),
    nodeAddresses: () => readNodeAddresses(runner),
    ...kernelReaders(runner),
  };
}

/** @returns what ip, nft and birdc print of a node that is as it should be */
function toolsOf(made: AgentSnapshot): (argv: string) => Partial<CommandResult> {
  const json = (value: unknown): Partial<CommandResult> => ({ stdout: JSON.stringify(value) });
  return (argv) => {
    const [path = "", ...words] = argv.split(" ");
    const tool = path.slice(path.lastIndexOf("/") + 1);
    if (tool === "ip") return json(ipList(words.filter((word) => !/^-[jd]$/.test(word)), made));
    if (tool === "nft") return json({ nftables: nftList(words.slice(2).join(" "), made) });
    return { stdout: birdcText(words.slice(4).join(" "), made) };
  };
}

type Raw = Record<string, unknown>;

function ipList(words: readonly string[], made: AgentSnapshot): Raw[] {
  switch (words.join(" ")) {
    case "address show":
      return [uplink(), ...made.pods.map(linkOf)];
    case "-4 route show proto 70":
      return [...podRoutes(4, made), ...anycastRoutes(made)];
    case "-6 route show proto 70":
      return podRoutes(6, made);
    case "neigh show nud permanent":
      return made.pods.flatMap(({ hostLink: dev, podMac: lladdr, addresses }) =>
        addresses.map((dst) => ({ dst, dev, lladdr, state: ["PERMANENT"] }))
      );
    case "nexthop show":
      return made.pods.flatMap(nexthopsOf);
    default:
      throw new Error(`Cannot answer ip ${words.join(" ")}: not in this world`);
  }
}

function uplink(): Raw {
  const local = { local: "192.0.2.10", prefixlen: 24, ...LASTING };
  return { ifname: "up0", mtu: MTU, address: "02:00:00:00:00:aa", flags: ["UP"], addr_info: [local] };
}

function linkOf({ hostLink: ifname, mtu, containerId, ifname: inside, netns }: PodSnapshot): Raw {
  const nextHop = { local: "fe80::1", prefixlen: 64, ...LASTING };
  const ifalias = `${containerId} ${inside} ${netns}`;
  return { ifname, mtu, address: HOST_MAC, flags: ["UP"], ifalias, addr_info: [nextHop] };
}

function podRoutes(family: 4 | 6, { pods, nodeConfig }: AgentSnapshot): Raw[] {
  const cidrs = (family === 4 ? nodeConfig.inForce?.cidr4 : nodeConfig.inForce?.cidr6) ?? [];
  const own = pods.flatMap(({ hostLink: dev, addresses }) =>
    addresses.filter((dst) => dst.includes(":") === (family === 6)).map((dst) => ({
      ...{ dst, dev, metric: 20, flags: [] },
      ...(family === 4 ? { scope: "link" } : {}),
    }))
  );
  return [...cidrs.map((dst) => ({ type: "blackhole", dst, metric: 20, flags: [] })), ...own];
}

/** Each pod with anycast addresses has a group of its own: 100 and more; its hop has the number before. */
function nexthopsOf({ anycast, addresses, hostLink: dev }: PodSnapshot, index: number): Raw[] {
  const gateway = addresses.find((text) => !text.includes(":"));
  const id = 100 + 2 * index;
  return anycast.length === 0 ? [] : [
    { id, gateway, dev, scope: "link", protocol: "70", flags: ["onlink"] },
    { id: id + 1, group: [{ id }], type: "mpath", protocol: "70", flags: [] },
  ];
}

function anycastRoutes({ pods }: AgentSnapshot): Raw[] {
  return pods.flatMap(({ anycast, hostLink: dev }, index) =>
    anycast.filter(({ advertised }) => advertised).map(({ address: dst }) => ({
      ...{ dst, nhid: 101 + 2 * index, dev, metric: 20, flags: [] },
    }))
  );
}

function nftList(words: string, { pods, policy }: AgentSnapshot): Raw[] {
  const set = (family: string, name: string, elem: unknown[]): Raw => ({ set: { family, name, table: "flock", elem } });
  const grants = (isIpv6: boolean): unknown[] =>
    pods.flatMap(({ hostLink, addresses, anycast }) =>
      [...addresses, ...anycast.map(({ address }) => address)].filter((text) => text.includes(":") === isIpv6)
        .map((text) => ({ concat: [hostLink, text] }))
    );
  switch (words) {
    case "tables":
      return ["inet flock", "arp flock", "inet flock-policy"].map((each) => {
        const [family, name] = each.split(" ");
        return { table: { family, name } };
      });
    case "table inet flock":
      return [set("inet", "own4", grants(false)), set("inet", "own6", grants(true))];
    case "table arp flock":
      return [set("arp", "own4", grants(false))];
    case "table inet flock-policy":
      return policyTable(policy.isolatedLinks.map(({ link }) => link));
    default: {
      const direction = /(ingress|egress)_pods$/.exec(words)?.[1] ?? "";
      const links = policy.isolatedLinks.filter(({ directions }) => directions.some((each) => each === direction));
      return [{ map: { name: words, elem: links.map(({ link }) => [link, { goto: { target: `to_${link}` } }]) } }];
    }
  }
}

/** Whoever is isolated is allowed everything. */
function policyTable(links: readonly string[]): Raw[] {
  const named = { family: "inet", table: "flock-policy" };
  const hook = { type: "filter", hook: "postrouting", policy: "accept" };
  const rule = (chain: string, expr: unknown[]): Raw => ({ rule: { ...named, chain, expr } });
  const lookUp = (key: string, direction: string): unknown => ({
    vmap: { key: { meta: { key } }, data: `@${direction}_pods` },
  });
  const mapping = links.map((link) => [link, { goto: { target: `to_${link}` } }]);
  return [
    { map: { ...named, name: "ingress_pods", elem: mapping } },
    { map: { ...named, name: "egress_pods" } },
    { chain: { ...named, ...hook, name: "egress", prio: 98 } },
    { chain: { ...named, ...hook, name: "ingress", prio: 99 } },
    ...links.map((link) => ({ chain: { ...named, name: `to_${link}` } })),
    ...links.map((link) => ({ counter: { ...named, name: `to_${link}`, packets: 0, bytes: 0 } })),
    rule("egress", [lookUp("iifname", "egress")]),
    rule("ingress", [lookUp("oifname", "ingress")]),
    ...links.map((link) => rule(`to_${link}`, [{ accept: null }])),
  ];
}

/** As `birdc -r -v` prints it: the last line of a success is left out. */
function birdcText(question: string, { sessions = [], advertised }: AgentSnapshot): string {
  const preamble = ["0001 BIRD 2.0.12 ready.", "0016 Access restricted"];
  const routesOf = (prefixes: readonly string[]): string[] =>
    prefixes.map((prefix) => ` ${prefix} blackhole [hosts4 11:00:00.000] * (200)`);
  const routes = routesOf(advertised);
  const answer = question === "show protocols all"
    ? sessions.flatMap(({ peer, state }) => [
      `1002-${protocolOf(peer)} BGP --- up 2026-03-01T11:00:00+0000 ${state}`,
      `1006-  BGP state:          ${state}`,
      `     Neighbor address: ${peer}`,
    ])
    : question.startsWith("show route export")
    ? [
      "1007-Table master:",
      ...routesOf(advertised.filter((prefix) => prefix.includes(":") === question.includes("peer6"))),
    ]
    : question.startsWith("show route for")
    ? ["1007-Table master4:", routes[0] ?? ""]
    : ["1007-Table master4:", ...routes];
  return [...preamble, ...answer, ""].join("\n");
}

function protocolOf(peer: string): string {
  return peer.includes(":") ? "peer6_20010db8000100000000000000000001" : "peer4_c0000201";
}
