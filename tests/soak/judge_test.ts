import { assertEquals } from "@std/assert";
import { hostLinkName, podMacOf } from "../../src/hash/container_hash.ts";
import { type Expectation, judgeNode, judgeRouter } from "./judge.ts";
import type { NodeSight } from "./sight.ts";

const ID = "a".repeat(64);
const OTHER = "b".repeat(64);
const PATH = `198.18.0.7 ${hostLinkName(ID)}`;
const EXPECTED: Expectation = {
  live: [{ id: ID, addresses: ["198.18.0.7"] }],
  owed: new Set(),
  prefixes: ["198.18.0.0/22"],
  otherPrefixes: ["198.18.4.0/22"],
};
const OWN = {
  containerId: ID,
  podUid: "u",
  netns: "/run/netns/a",
  state: "committed",
  addresses: ["198.18.0.7"],
  createdAt: 0,
};
const WELL: NodeSight = {
  kernel: { links: [hostLinkName(ID)], routes: [PATH], grants: [PATH] },
  neighbours: [`${PATH} ${podMacOf(ID)}`],
  blackholes: ["198.18.0.0/22"],
  allocations: [OWN],
  tombstones: [],
  stateFiles: ["allocations.json", "nodeconfig.json"],
  sandboxes: [ID],
  sessions: ["peer0 Established"],
  learned: ["192.0.2.0/24", "198.18.4.0/22"],
  status: { advertised: ["198.18.0.0/22"], conditions: ["BGPEstablished=True", "Ready=True"] },
  processes: { fds: 40, children: 5, zombies: 0, residentMiB: 150, plugins: 0 },
};

Deno.test("judgeNode() says nothing of a node that is as it must be, nor without an API server to ask", () => {
  assertEquals(judgeNode(WELL, EXPECTED), []);
  const { status: _, ...unasked } = WELL;
  assertEquals(judgeNode(unasked, EXPECTED), []);
});

Deno.test("judgeNode() names whatever is missing or too much", () => {
  const none = { links: [], routes: [], grants: [] };
  const alone = judgeNode({ ...WELL, kernel: none, neighbours: [], blackholes: [], learned: [] }, EXPECTED);
  assertEquals(alone.map((line) => line.split(":")[0]), [
    ...["links", "routes to pods", "granted sources", "neighbours", "blackhole routes"],
    "prefixes of other nodes in the kernel",
  ]);
  const ghost = { ...WELL.kernel, links: [hostLinkName(ID), "flock00000000"] };
  assertEquals(judgeNode({ ...WELL, kernel: ghost }, EXPECTED), ["links: flock00000000 is too much"]);
  const wrongs: [Partial<NodeSight>, string][] = [
    [{ sandboxes: [] }, `sandboxes of containerd: ${ID} is missing`],
    [{ tombstones: ["x"] }, "unobeyed deletions: x is too much"],
    [
      { stateFiles: ["allocations.json.corrupt-1"] },
      "set aside or temporary files: allocations.json.corrupt-1 is too much",
    ],
    [{ sessions: ["peer0 Active"] }, "BIRD session peer0 Active"],
    [{ processes: { ...WELL.processes, zombies: 1 } }, "agent: zombies 1, at most 0"],
    [
      { status: { advertised: [], conditions: WELL.status?.conditions ?? [] } },
      "advertised prefixes in status: 198.18.0.0/22 is missing",
    ],
  ];
  for (const [part, line] of wrongs) assertEquals(judgeNode({ ...WELL, ...part }, EXPECTED), [line]);
});

Deno.test("judgeNode() sees an allocation that is leaked, pending, given twice or told otherwise", () => {
  const leaked = { ...OWN, containerId: OTHER };
  const judged = (allocations: NodeSight["allocations"]): string[] => judgeNode({ ...WELL, allocations }, EXPECTED);
  assertEquals(judged([OWN, leaked]), [`allocations: ${OTHER} is too much`, "198.18.0.7 is given twice"]);
  assertEquals(judged([{ ...OWN, state: "pending" }]), [`allocation of live ${ID} is pending`]);
  assertEquals(judged([{ ...OWN, addresses: ["198.18.0.8"] }]), [
    `addresses of ${ID}: 198.18.0.7 is missing`,
    `addresses of ${ID}: 198.18.0.8 is too much`,
  ]);
});

Deno.test("judgeNode() lets an allocation and its grants stay while they are owed, but not a link", () => {
  const leaked = { ...OWN, containerId: OTHER, addresses: ["198.18.0.9"] };
  const path = `198.18.0.9 ${hostLinkName(OTHER)}`;
  const kernel = { ...WELL.kernel, grants: [PATH, path] };
  const expected = { ...EXPECTED, owed: new Set([OTHER]) };
  assertEquals(judgeNode({ ...WELL, kernel, allocations: [OWN, leaked] }, expected), []);
  const links = [...kernel.links, hostLinkName(OTHER)];
  assertEquals(judgeNode({ ...WELL, kernel: { ...kernel, links }, allocations: [OWN, leaked] }, expected), [
    `links: ${hostLinkName(OTHER)} is too much`,
  ]);
});

Deno.test("judgeRouter() wants every node's prefixes by one next hop, and no other route into pods", () => {
  const expected = new Map([["198.18.0.0/22", "192.0.2.10"]]);
  assertEquals(judgeRouter(new Map([["192.0.2.0/24", ["0.0.0.0"]], ["198.18.0.0/22", ["192.0.2.10"]]]), expected), []);
  assertEquals(judgeRouter(new Map([["198.18.0.9/32", ["192.0.2.10"]]]), expected), [
    "routes of the router: 198.18.0.0/22 via 192.0.2.10 is missing",
    "routes of the router: 198.18.0.9/32 via 192.0.2.10 is too much",
  ]);
});
