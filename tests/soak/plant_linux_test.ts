/**
 * The soak's checker bites: on a lab whose agent stands still, everything that is planted is reported, and nothing
 * else.
 */
import { assertEquals } from "@std/assert";
import { hostLinkName } from "../../src/hash/container_hash.ts";
import { BIRD_CONFIG, STATE_FILE } from "../../src/paths/paths.ts";
import { createLab, type Lab } from "../lab/lab.ts";
import { record, records } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";
import { podObject } from "../lab/pods.ts";
import { ALL_SERVICES } from "./checks/services.ts";
import { Checker } from "./checker.ts";
import { Cluster } from "./cluster.ts";
import type { LivePod } from "./kubelet.ts";
import { Report } from "./report.ts";

const CALM = { apiAway: false, away: new Set<number>(), struck: new Set<number>() };
const GHOST = "b".repeat(64);
const GHOST_LINK = hostLinkName(GHOST);
const LEAKED = "198.18.0.99";
/** Of the first steady pod, and of none. */
const [SERVED = "", , UNSERVED = ""] = ALL_SERVICES;

/** What somebody does, and which lines the report must have for it. */
interface Plant {
  readonly what: string;
  readonly lines: readonly string[];
  /** Patterns of the lines whose rest nobody can foresee. */
  readonly like?: readonly RegExp[];
  put(node: LabNode, lab: Lab): Promise<unknown>;
}

function plantsFor({ sandbox: { id, uid, netns, addresses } }: LivePod): readonly Plant[] {
  const link = hostLinkName(id);
  const [four = ""] = addresses;
  const route = `unicast ${LEAKED} dev ${link} table main proto 70 scope link metric 20`;
  const sh = (script: string) => (node: LabNode): Promise<string> => node.output(["sh", "-c", script]);
  return [
    {
      what: "routes of flock's protocol, one in a table that nobody looks at",
      lines: [`flock's routes: ${route} is too much`, `flock's routes: ${route.replace("main", "77")} is too much`],
      put: sh(`for t in main 77; do ip route add ${LEAKED} dev ${link} proto 70 scope link metric 20 table $t; done`),
    },
    {
      what: "nft grants, one for ARP alone, and a rule",
      lines: [
        `elements of nft: inet own4 ${GHOST_LINK} ${LEAKED} is too much`,
        `elements of nft: arp own4 ${link} ${LEAKED} is too much`,
      ],
      like: [/^flock's nft tables: rule 2 .*"from_link_local".* is too much$/],
      put: sh(`nft 'add element inet flock own4 { "${GHOST_LINK}" . ${LEAKED} }'
        nft 'add element arp flock own4 { "${link}" . ${LEAKED} }'
        nft 'add rule inet flock from_link_local accept'`),
    },
    {
      what: "an allocation without a pod, which has an address of another's",
      lines: [
        `allocations: ${GHOST} is too much`,
        `allocations by Pod: ${GHOST} of ${uid} is too much`,
        `${four} is given twice`,
      ],
      put: (node) => plantAllocation(node, id),
    },
    {
      what: "a host end of nobody's",
      lines: [
        `links: ${GHOST_LINK} is too much`,
        `what is not flock's: flockpeer mtu 1500 is too much`,
        `what is not flock's: flockpeer addrgenmode eui64 is too much`,
        `what is not flock's: flockpeer down is too much`,
      ],
      like: [/^what is not flock's: flockpeer address .* is too much$/],
      put: sh(`ip link add ${GHOST_LINK} type veth peer name flockpeer`),
    },
    {
      what: "another MTU, sysctl and next hop on a host end",
      lines: [
        ...[`mtu 1500 is too much`, `mtu 9000 is missing`].map((line) => `host ends: ${link} ${line}`),
        `sysctls: ipv4/conf/${link}/rp_filter = 2 is too much`,
        `sysctls: ipv4/conf/${link}/rp_filter = 0 is missing`,
        `addresses of host ends: ${link} fe80::2/64 scope link is too much`,
      ],
      put: sh(`ip link set ${link} mtu 1500; echo 2 >/proc/sys/net/ipv4/conf/${link}/rp_filter
        ip address add fe80::2/64 dev ${link} nodad`),
    },
    {
      what: "a second address in a pod",
      lines: [`addresses of pod ${link}: eth0 ${LEAKED}/32 scope global is too much`],
      put: sh(`nsenter --net=${netns} ip address add ${LEAKED}/32 dev eth0`),
    },
    {
      what: "others' things, gone or new",
      lines: [
        "what is not flock's: lo 169.254.1.2/32 scope host is too much",
        "what is not flock's: local 169.254.1.2 dev lo table local proto kernel scope host src 169.254.1.2 is too much",
        "what is not flock's: neighbour 10.99.0.2 flockops 02:00:00:00:00:02 is missing",
        "what is not flock's: netns operator is missing",
      ],
      like: [
        /^what is not flock's: nft set .*"operator".*"10.99.0.2".* is missing$/,
        /^what is not flock's: nft set .*"operator"/,
      ],
      put: sh(
        `ip address add 169.254.1.2/32 dev lo scope host; ip neigh del 10.99.0.2 dev flockops; ip netns del operator
        nft flush set inet operator own4`,
      ),
    },
    {
      what: "a network namespace of the runtime's that is nobody's",
      lines: ["network namespace cni-0 is nobody's, and no containerd was killed while it could be made"],
      put: sh("ip netns add cni-0"),
    },
    {
      what: "a Pod that runs by name only",
      lines: [],
      like: [/^running Pods of the API server: [0-9a-f-]+ has 198\.18\.0\.99 is too much$/],
      put: plantPod,
    },
    {
      what: "a static of BIRD's, which the router believes",
      lines: [
        `BIRD's routes: ${LEAKED}/32 blackhole anycast4 is too much`,
        `exports of BIRD: peer4 ${LEAKED}/32 is too much`,
        `BGP table of the router: ${LEAKED}/32 via 192.0.2.10 is too much`,
        `RIB of the router: ${LEAKED}/32 via 192.0.2.10 is too much`,
        `kernel of the router: ${LEAKED} via 192.0.2.10 is too much`,
      ],
      put: sh(`sed -i 's|^protocol static anycast4 {|&\\n  route ${LEAKED}/32 blackhole;|' ${BIRD_CONFIG}
        birdc -s /run/flock/bird.ctl configure`),
    },
    {
      what: "a route to an anycast address that is gone, and an address of a pod's lo",
      lines: [
        `flock's routes: unicast ${SERVED} table main proto 70 metric 20 by ${four} dev ${link} is missing`,
        `lo of pod ${link}: lo ${UNSERVED}/32 scope global is too much`,
        `${SERVED} does not answer the client, quiet`,
      ],
      put: sh(`ip route del ${SERVED}; nsenter --net=${netns} ip address add ${UNSERVED}/32 dev lo`),
    },
    {
      what: "an anycast address that no Ready pod has, and routers hear of",
      lines: [
        `BIRD's routes: ${UNSERVED}/32 blackhole anycast4 is too much`,
        `exports of BIRD: peer4 ${UNSERVED}/32 is too much`,
        ...["BGP table", "RIB"].map((of) => `${of} of the router: ${UNSERVED}/32 via 192.0.2.10 is too much`),
        `kernel of the router: ${UNSERVED} via 192.0.2.10 is too much`,
      ],
      put: sh(`sed -i 's|^protocol static anycast4 {|&\\n  route ${UNSERVED}/32 blackhole;|' ${BIRD_CONFIG}
        birdc -s /run/flock/bird.ctl configure`),
    },
    {
      what: "a tool that its agent has left behind, and a file",
      lines: [
        "a tool that no agent waits for: /usr/sbin/ip monitor",
        `files: ${STATE_FILE}.corrupt-1 is too much`,
      ],
      put: async (node) => {
        await node.spawn("stray", ["/usr/sbin/ip", "monitor"]);
        await node.write(`${STATE_FILE}.corrupt-1`, "");
      },
    },
  ];
}

/** A copy of another container's, with its IPv4 address. The agent does not read the file again. */
async function plantAllocation(node: LabNode, containerId: string): Promise<void> {
  const state = record(JSON.parse(await node.read(STATE_FILE)));
  const allocations = records(state["allocations"]);
  const copied = allocations.find((allocation) => allocation["containerId"] === containerId);
  const ghost = { ...copied, containerId: GHOST, ipv6: undefined };
  await node.write(STATE_FILE, JSON.stringify({ ...state, allocations: [...allocations, ghost] }));
}

async function plantPod(node: LabNode, { api }: Lab): Promise<void> {
  const pod = podObject({ name: "ghost", namespace: "default", annotations: {}, nodeName: node.name });
  await api.apply(pod);
  const status = { phase: "Running", podIP: LEAKED, podIPs: [{ ip: LEAKED }] };
  await api.patch("/api/v1/namespaces/default/pods/ghost/status", { status });
}

/** @returns every line that was reported as a discrepancy */
async function reported(file: string): Promise<string[]> {
  const lines = (await Deno.readTextFile(file)).trim().split("\n").map((line) => record(JSON.parse(line)));
  return lines.flatMap(({ event, what }) => event === "discrepancy" && Array.isArray(what) ? what.map(String) : []);
}

Deno.test("the soak's checker reports whatever is planted, each once, and nothing else", async () => {
  await using lab = await createLab({ api: "embedded", nodes: 1 });
  const file = `${lab.dir}/soak.json`;
  const report = new Report({ file, seed: 1, minutes: 1 });
  const cluster = await Cluster.start(lab, report);
  const { node, steady: [pod], kubelet } = cluster.member(0);
  if (pod === undefined) throw new Error("Cannot plant anything: there is no steady pod");
  const checker = new Checker(cluster, report, { settleMs: 2_000 }); // nobody will make it better
  assertEquals(await checker.check(CALM), 0);
  const thaw = node.freeze("agent");
  const plants = plantsFor(pod);
  for (const { put } of plants) await put(node.lab, lab);
  const found = await checker.check(CALM);
  const seen = await reported(file);
  const foreseen = (line: string): boolean =>
    plants.some(({ lines, like = [] }) => lines.includes(line) || like.some((pattern) => pattern.test(line)));
  assertEquals(seen.filter((line) => !foreseen(line)), []);
  for (const { what, lines, like = [] } of plants) {
    assertEquals(lines.filter((line) => !seen.includes(line)), [], what);
    assertEquals(like.filter((pattern) => !seen.some((line) => pattern.test(line))), [], what);
  }
  assertEquals(seen.length, found);
  assertEquals([await checker.check(CALM), report.counts.orphans], [0, 1]);
  thaw();
  kubelet.giveUp();
});
