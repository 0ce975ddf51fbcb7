/** Every command of inspect over a node that is well, and over one with each kind of fault. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { renderNodeConfig } from "../nodeconfig/render_node_config.ts";
import { parseNodeConfig } from "../nodeconfig/parse_node_config.ts";
import { renderStateDocument } from "../store/state_document.ts";
import type { Allocation } from "../ipam/allocation.ts";
import type { AgentSnapshot } from "../snapshot/agent_snapshot.ts";
import { COMMANDS } from "./commands/commands.ts";
import { EXIT_CODES } from "./document.ts";
import { NOW, podOf, snapshotOf, type Visit, visit } from "./_inspect_fixture.ts";
import { READING_ARGVS } from "./reading_runner.ts";
import { renderReport } from "./render_table.ts";

/** A command line for each command, with words that it takes. */
const LINES: Readonly<Record<string, string>> = {
  pod: "pod default/web",
  allowed: "allowed default/web default/db:80",
  address: "address 203.0.113.2",
};

const linesOf = (): string[] => COMMANDS.map(({ name }) => LINES[name] ?? name);

/** What a terminal without colours shows. */
function screenOf({ headline, report }: Visit): string {
  return renderReport(headline, report, { colour: false, wide: true });
}

/** What `ip -j`, `nft -j` and `birdc -r` can say without changing anything, told apart from the list itself. */
const READS = [
  /^\/usr\/sbin\/ip (-\S+ )*-j (-\S+ )*(address|route|neigh|nexthop) show( |$)/,
  /^\/usr\/sbin\/nft -j list /,
  /^\/usr\/sbin\/birdc -r -v -s \S+ show /,
];

Deno.test("on a node that is well every command says so, shows nothing wrong and ends with 0", async () => {
  for (const line of linesOf()) {
    const visited = await visit(line);
    assertEquals([line, visited.verdict, visited.document.findings], [line, "well", []]);
    assertEquals(EXIT_CODES[visited.verdict], 0);
    assertStringIncludes(screenOf(visited), "all is well");
  }
});

Deno.test("no command runs anything but ip -j ... show, nft -j list ... and birdc -r ... show, whoever is dead", async () => {
  const worlds = [{}, { agent: undefined }, { answer: () => ({ code: 1, stderr: "no" }) }];
  for (const world of worlds) {
    for (const line of linesOf()) {
      const { argvs } = await visit(line, world);
      for (const argv of argvs) {
        assert(READING_ARGVS.some((each) => each.test(argv)), argv);
        assert(READS.some((each) => each.test(argv)), argv);
      }
    }
  }
});

Deno.test("the closed list has nothing that no command runs", async () => {
  const argvs = (await Promise.all(linesOf().map((line) => visit(line)))).flatMap(({ argvs }) => argvs);
  assertEquals(READING_ARGVS.filter((each) => !argvs.some((argv) => each.test(argv))), []);
});

Deno.test("a look asks each tool once, and twice only where something is wrong", async () => {
  const well = await visit("summary");
  assertEquals(well.argvs.length, new Set(well.argvs).size);
  const wrong = await visit("summary", { agent: undefined });
  assertEquals(wrong.argvs.length, 2 * new Set(wrong.argvs).size);
});

Deno.test("what only the first of two looks shows is no fault: a pod came or went between agent and kernel", async () => {
  let looks = 0;
  const answer = (argv: string): { stdout: string } | undefined =>
    argv.includes("address show") && looks++ === 0 ? { stdout: "[]" } : undefined;
  const { verdict, document } = await visit("drift", { answer });
  assertEquals([verdict, document.findings, looks], ["well", [], 2]);
});

/** Fault -> how the node is made so, and words of the summary's first screen. */
const FAULTS: Readonly<Record<string, { world: Parameters<typeof visit>[1]; words: readonly string[] }>> = {
  "agent dead": {
    world: { agent: undefined },
    words: ["agent: should answer", "nobody listens", "it has left no files"],
  },
  "BIRD dead": {
    world: { answer: (argv) => argv.includes("birdc") ? { code: 1, stderr: "Unable to connect" } : undefined },
    words: ["BIRD: should answer", "Unable to connect"],
  },
  "session down": {
    world: {
      agent: snapshotOf({
        sessions: [{ peer: "192.0.2.1", state: "Active", established: false }, {
          peer: "2001:db8:1::1",
          state: "Established",
          established: true,
        }],
      }),
    },
    words: ["BGP session 192.0.2.1: should be Established, but it is Active", "AS 65000", "1 of 2"],
  },
  "BIRD without its configuration": {
    world: { made: snapshotOf({ sessions: [] }) },
    words: ["BGP session 192.0.2.1", "no such session"],
  },
  "configuration refused": {
    world: { agent: snapshotOf({ bird: { applied: false, reason: "refused", message: "line 7: syntax error" } }) },
    words: ["BIRD refuses it: line 7: syntax error"],
  },
  "pool full": {
    world: {
      agent: snapshotOf({ pools: [{ cidr: "203.0.113.0/26", family: 4, usable: "61", used: 61, resting: 0 }] }),
    },
    words: ["pool 203.0.113.0/26: should have free addresses", "61 of 61", "add a CIDR"],
  },
  "route removed": {
    world: {
      answer: (argv) => argv.endsWith("-4 route show proto 70") ? { stdout: "[]" } : undefined,
    },
    words: [
      "host route 203.0.113.2 dev",
      "is missing",
      "route 203.0.113.0/26: should be a blackhole",
      "puts this back",
    ],
  },
  "tables flushed": {
    world: { answer: (argv) => argv.endsWith("list tables") ? { stdout: '{"nftables":[]}' } : undefined },
    words: ["nft table inet flock:", "nft table arp flock:", "nft table inet flock-policy:", "it is missing"],
  },
  "wrong NodeConfig": {
    world: {
      agent: snapshotOf({
        nodeConfig: {
          ...snapshotOf().nodeConfig,
          reason: "Invalid",
          message: 'spec.cidr4[0] "x": must be a CIDR; generation 3 stays in force',
        },
      }),
    },
    words: ["NodeConfig node-a: should be in force as it is written", "spec.cidr4[0]", "kubectl edit nodeconfig"],
  },
  "disk that takes no state": {
    world: { agent: snapshotOf({ stateFailure: "Error: Read-only file system (os error 30)" }) },
    words: ["state: should be on the disk", "Read-only file system", "code 5"],
  },
  "NodeConfig that is not wholly as it is written": {
    world: {
      agent: snapshotOf({
        nodeConfig: {
          ...snapshotOf().nodeConfig,
          ...{ failure: "sysctl ipv4/ip_forward refused", bgpProblems: ["password router-a cannot be read"] },
          warnings: ["more than 2 addresses to announce: the others are left out"],
        },
      }),
    },
    words: ["should be put into the node, but sysctl", "BGP: should be as it is written", "router-a", "more than 2"],
  },
  "anycast address beyond maxAnnounced": {
    world: {
      agent: snapshotOf({
        pods: [podOf("web", 2, { anycast: [{ address: "198.51.100.7", advertised: false, reason: "pending" }] })],
      }),
    },
    words: ["default/web pending", "maxAnnounced"],
  },
  "pod not Ready": {
    world: {
      agent: snapshotOf({
        pods: [podOf("web", 2, {
          ready: false,
          anycast: [{ address: "198.51.100.7", advertised: false, reason: "notReady" }],
        })],
      }),
    },
    words: ["anycast 198.51.100.7: should be advertised", "default/web notReady"],
  },
  "no session of an anycast address's family": {
    world: {
      agent: snapshotOf({
        pods: [podOf("web", 2, { anycast: [{ address: "198.51.100.7", advertised: false, reason: "noSession" }] })],
      }),
    },
    words: ["anycast 198.51.100.7: should be advertised", "default/web noSession", "flock inspect bgp"],
  },
  "API server dead": {
    world: {
      agent: snapshotOf({
        watches: [{ resource: "pods", scope: "node", synced: true, ageS: 40, lastError: "connection refused" }],
      }),
    },
    words: ["API server, pods of this node", "last heard 40 s ago: connection refused"],
  },
  "policy that cannot be read": {
    world: {
      agent: snapshotOf({
        policy: {
          ...snapshotOf().policy,
          problems: [{ namespace: "default", name: "deny", reason: "PolicyInvalid", message: "spec.x: unknown" }],
        },
      }),
    },
    words: ["NetworkPolicy default/deny", "PolicyInvalid", "spec.x: unknown"],
  },
  "ADD that hangs": {
    world: { agent: snapshotOf({ pods: [podOf("slow", 4, { state: "pending" })] }) },
    words: ["pod default/slow: should be added within seconds", "pending for 3600 s"],
  },
};

for (const [fault, { world, words }] of Object.entries(FAULTS)) {
  Deno.test(`summary names the cause: ${fault}`, async () => {
    const visited = await visit("summary", world);
    assertEquals(EXIT_CODES[visited.verdict], 1);
    const screen = screenOf(visited).split("\n").slice(0, 24).join("\n");
    for (const word of words) assertStringIncludes(screen, word);
    for (const { hint } of visited.document.findings) assert(hint !== "", "every finding says what to do");
  });
}

/** Of the argv that is named, nothing: the kernel has none of it, or BIRD. */
function without(part: string): { answer(argv: string): { stdout: string } | undefined } {
  const nothing = (argv: string): string =>
    argv.includes("/nft") ? '{"nftables":[]}' : argv.includes("/ip ") ? "[]" : "0001 BIRD\n1007-Table master4:\n";
  return { answer: (argv) => argv.includes(part) ? { stdout: nothing(argv) } : undefined };
}

Deno.test("whatever is found by whichever command, it is said what to do", async () => {
  const parts = ["address show", "route show", "neigh", "nexthop", "list tables", "table inet flock", "list map"];
  const worlds = [
    ...Object.values(FAULTS).map(({ world }) => world),
    ...[...parts, "RTS_STATIC", "show route export", "protocols all"].map(without),
    { agent: snapshotOf({ advertised: [] }) },
    { agent: snapshotOf({ pods: [podOf("web", 2, { state: "pending", terminating: true })] }) },
  ];
  let seen = 0;
  for (const world of worlds) {
    for (const line of linesOf()) {
      const { findings } = (await visit(line, world)).document;
      assertEquals([line, findings.filter(({ hint }) => hint === "")], [line, []]);
      seen += findings.length;
    }
  }
  assert(seen > 100, String(seen));
});

Deno.test("a tool that cannot be run makes no fault: inspect could not look, and ends with 2", async () => {
  const { verdict, document } = await visit("summary", {
    answer: (argv) => argv.includes("/nft") ? { code: 127, stderr: "Operation not permitted" } : undefined,
  });
  assertEquals([verdict, EXIT_CODES[verdict], Object.keys(document.unseen)], ["unseen", 2, ["tables"]]);
});

Deno.test("what is wrong for certain is said, whatever else could not be looked at", async () => {
  const { verdict } = await visit("summary", {
    agent: undefined,
    answer: (argv) => argv.includes("/nft") ? { code: 127, stderr: "Operation not permitted" } : undefined,
  });
  assertEquals(verdict, "wrong");
});

/** What an agent leaves on the disk. */
function filesOf(): ReadonlyMap<string, string | Uint8Array<ArrayBuffer>> {
  const allocations = snapshotOf().pods.map((pod): [string, Allocation] => {
    const { namespace = "", name = "", uid = "", containerId, ifname, netns, hostLink, podMac, mtu } = pod;
    const [ipv6 = "", ipv4 = ""] = pod.addresses;
    const anycast = pod.anycast.map(({ address }) => address);
    return [containerId, {
      ...{ containerId, ifname, netns, hostLink, podMac, mtu, ipv6, ipv4, pod: { namespace, name, uid } },
      ...(anycast.length === 0 ? {} : { anycast, ready: true }),
      ...{ state: "committed", createdAt: NOW - 3_600_000 },
    }];
  });
  const state = { allocations: new Map(allocations), resting: [], tombstones: [], cursors: new Map() };
  const document = { bootId: "b", nodeName: "node-a", generation: 1, state, unknownFields: {} };
  const { inForce } = snapshotOf().nodeConfig;
  const spec = { cidr6: inForce?.cidr6, cidr4: inForce?.cidr4, bgp: { asn: 65101, peers: inForce?.peers } };
  const metadata = { name: "node-a", uid: "u", generation: 3, creationTimestamp: "2026-03-01T00:00:00Z" };
  const nodeConfig = renderNodeConfig(parseNodeConfig({ metadata, spec }));
  return new Map<string, string | Uint8Array<ArrayBuffer>>([
    ["/state", renderStateDocument(document)],
    ["/nodeconfig", JSON.stringify(nodeConfig)],
  ]);
}

Deno.test("with the agent dead, files tell what the kernel should have: nothing differs where nothing does", async () => {
  for (const line of ["summary", "pods", "drift", "ipam", "routes"]) {
    const { document } = await visit(line, { agent: undefined, files: filesOf() });
    assertEquals([line, document.findings.map(({ subject }) => subject)], [line, ["agent"]]);
    assertEquals([document["knownFrom"], document["node"]], ["files", "node-a"]);
  }
});

Deno.test("with the agent dead, what the kernel lacks of what files tell is found", async () => {
  const answer = (argv: string): { stdout: string } | undefined =>
    argv.endsWith("-6 route show proto 70") ? { stdout: "[]" } : undefined;
  const { document } = await visit("drift", { agent: undefined, files: filesOf(), answer });
  const subjects = document.findings.map(({ subject }) => subject);
  assertEquals(subjects, ["agent", "route 2001:db8:f001::/64", "pod default/web", "pod default/db"]);
  assertStringIncludes(document.findings[1]?.hint ?? "", "when the agent runs again");
});

Deno.test("drift finds what the packet guard's sets and the policies' maps lack", async () => {
  const { document } = await visit("drift", {
    answer: (argv) =>
      argv.endsWith("list table inet flock")
        ? { stdout: '{"nftables":[{"set":{"family":"inet","name":"own4","elem":[]}}]}' }
        : argv.endsWith("ingress_pods")
        ? { stdout: '{"nftables":[{"map":{"elem":[["flock00000001",{"accept":null}]]}}]}' }
        : undefined,
  });
  const said = document.findings.map(({ subject, is }) => `${subject}: ${is}`);
  assertEquals(said.length, 3, said.join("\n"));
  assertStringIncludes(said[0] ?? "", "nft set inet flock own4: it lacks");
  assertStringIncludes(said[1] ?? "", `lets everything through for ingress ${podOf("db", 3).hostLink}`);
  assertStringIncludes(said[2] ?? "", "guards what no policy selects: ingress flock00000001");
});

Deno.test("drift tells a link that no record knows, without calling that a fault", async () => {
  const stray = podOf("stray", 9);
  const made = snapshotOf();
  const { verdict, document } = await visit("drift", {
    agent: made,
    made: { ...made, pods: [...made.pods, { ...stray, addresses: [] }] },
  });
  assertEquals([verdict, document.findings.map(({ severity, subject }) => `${severity} ${subject}`)], [
    "well",
    [`notice link ${stray.hostLink}`],
  ]);
});

Deno.test("pod follows one pod to what each router is told, and finds the step that fails", async () => {
  const well = await visit("pod default/web");
  assertStringIncludes(screenOf(well), "told to 192.0.2.1");
  const { document } = await visit("pod default/web", {
    answer: (argv) => argv.endsWith("show route export peer4_c0000201") ? { stdout: "" } : undefined,
  });
  assertEquals(document.findings.map(({ subject, is }) => `${subject}: ${is}`), [
    "pod default/web, BGP 203.0.113.2: not told to 192.0.2.1",
  ]);
});

Deno.test("where one session carries both families, pod and bgp look for both there, and for no other peer", async () => {
  const peers = [{ address: "2001:db8:1::1", asn: 65000, extendedNextHop: true as const }];
  const { nodeConfig, sessions = [] } = snapshotOf();
  const { inForce } = nodeConfig;
  const agent = snapshotOf({
    ...(inForce !== undefined && { nodeConfig: { ...nodeConfig, inForce: { ...inForce, peers } } }),
    sessions: sessions.filter(({ peer }) => peer === peers[0]?.address),
  });
  const lines = (prefixes: readonly string[]) =>
    prefixes.map((each) => `1007-${each} blackhole [x 11:00:00.000] * (200)`);
  const told = (prefixes: readonly string[]) => (argv: string): { stdout: string } | undefined =>
    argv.includes("show route export") ? { stdout: `${lines(prefixes).join("\n")}\n` } : undefined;
  for (const line of ["pod default/web", "bgp"]) {
    const well = await visit(line, { agent, answer: told(agent.advertised) });
    assertEquals([line, well.verdict, well.document.findings], [line, "well", []]);
    const { verdict } = await visit(line, { agent, answer: told(["2001:db8:f001::/64"]) });
    assertEquals([line, verdict], [line, "wrong"]);
  }
});

Deno.test("pod tells of the last request by its id, and why it was refused", async () => {
  const lastRequest = { verb: "DEL", at: new Date(NOW - 60_000).toISOString(), ms: 12 };
  const visitWith = (error?: string): Promise<Visit> => {
    const last = { ...lastRequest, ...(error === undefined ? {} : { error }) };
    const pods = [podOf("web", 2, { lastRequestId: "0123456789ab", lastRequest: last })];
    return visit("pod default/web", { agent: snapshotOf({ pods }) });
  };
  const [done, refused] = [await visitWith(), await visitWith("nft ended with 1")];
  const what = "DEL 0123456789ab, answered 60s ago after 12 ms";
  assertStringIncludes(screenOf(done), what);
  assertEquals(done.document.findings, []);
  assertEquals(refused.document.findings.map(({ is }) => is), [`${what}: nft ended with 1`]);
});

Deno.test("pod does not say that BIRD is silent where birdc cannot be run", async () => {
  const answer = (argv: string): { code: number; stderr: string } | undefined =>
    argv.includes("birdc") ? { code: 1, stderr: "Permission denied" } : undefined;
  const { verdict, document } = await visit("pod default/web", { answer });
  assertEquals([verdict, document.findings, Object.keys(document.unseen)], ["unseen", [], ["bgp"]]);
});

Deno.test("pod that has no addresses here: could not look, but what the agent said of it last is named", async () => {
  const nobody = await visit("pod default/nobody");
  assertEquals([nobody.verdict, nobody.document.findings], ["unseen", []]);
  const failures = [{ at: new Date(NOW).toISOString(), what: "ADD refused: pod default/nobody, no address is left" }];
  const refused = await visit("pod default/nobody", { agent: snapshotOf({ failures }) });
  assertEquals(refused.verdict, "wrong");
  assertStringIncludes(refused.document.findings[0]?.is ?? "", "no address is left");
});

Deno.test("ipam says which pool each address is from, and finds one that two pods have", async () => {
  const { document } = await visit("ipam");
  assertEquals(document["addresses"], [
    { address: "198.51.100.7", kind: "anycast", pod: "default/web" },
    ...[2, 3].map((last) => ({
      ...{ address: `2001:db8:f001::${last}`, kind: "interface", pod: `default/${last === 2 ? "web" : "db"}` },
      pool: "2001:db8:f001::/64",
    })),
    ...[2, 3].map((last) => ({
      ...{ address: `203.0.113.${last}`, kind: "interface", pod: `default/${last === 2 ? "web" : "db"}` },
      pool: "203.0.113.0/26",
    })),
  ]);
  const twins = snapshotOf({ pods: [podOf("a", 2), { ...podOf("b", 3), addresses: ["203.0.113.2"] }] });
  const twice = await visit("ipam", { agent: twins });
  assertEquals(twice.document.findings.map(({ subject, is }) => `${subject}: ${is}`), [
    "address 203.0.113.2: it is default/a and default/b's",
  ]);
});

Deno.test("a full pool is no fault while another one of its family has room, and tight ones are told", async () => {
  const pool = (cidr: string, used: number): AgentSnapshot["pools"][number] => ({
    ...{ cidr, family: 4, usable: "61", used, resting: 0 },
  });
  const summaryOf = async (used: number): Promise<string[]> => {
    const pools = [pool("203.0.113.0/26", 61), pool("203.0.113.64/26", used)];
    const { document } = await visit("summary", { agent: snapshotOf({ pools }) });
    return document.findings.map(({ severity, subject }) => `${severity} ${subject}`);
  };
  assertEquals(await summaryOf(1), []);
  assertEquals(await summaryOf(50), ["notice pool 203.0.113.0/26, 203.0.113.64/26"]);
  assertEquals(await summaryOf(61), ["wrong pool 203.0.113.0/26, 203.0.113.64/26"]);
});

Deno.test("what was put back or failed lately is told, and is no fault; what is older is not told", async () => {
  const at = (minutes: number): string => new Date(NOW - 60_000 * minutes).toISOString();
  const repairs = [{ at: at(50), what: "old" }, { at: at(1), what: "host route 203.0.113.2 was missing" }];
  const failures = [{ at: at(2), what: "reconcile failed" }];
  const { verdict, document } = await visit("summary", { agent: snapshotOf({ repairs, failures }) });
  assertEquals([verdict, document.findings.map(({ subject, is }) => `${subject}: ${is}`)], ["well", [
    "put back: 60s ago host route 203.0.113.2 was missing",
    "failed: 2m ago reconcile failed",
  ]]);
});
