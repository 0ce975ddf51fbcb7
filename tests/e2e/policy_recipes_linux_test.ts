/** The policies of the Kubernetes documentation (concepts/services-networking/network-policies), over two nodes with real packets, and what must go on beside them. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { KubeObject } from "../lab/lab_api.ts";
import { Mesh } from "../lab/mesh.ts";
import { capture, ping } from "../lab/probes.ts";
import { frameOf, withChecksum } from "../lab/raw_frames.ts";
import { CLIENT, CLIENT_GATEWAY } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { expectPing, startCluster } from "./_cluster.ts";
import { ANYCAST, type Neighbour, type Neighbourhood, PORTS, settle, SOME } from "./_neighbourhood.ts";
import { setPolicy, underPolicies } from "./_policy_pods.ts";
import { ip, sendFrames } from "./_raw_pod.ts";
import { alone } from "./_service_pod.ts";
import { expectTruth, pairsOf, type Truth } from "./_truth.ts";

const ALL = {};
const DENY_INGRESS = { podSelector: ALL, policyTypes: ["Ingress"] };

const DENY_EGRESS = { podSelector: ALL, policyTypes: ["Egress"] };
const DENY_ALL = { podSelector: ALL, policyTypes: ["Ingress", "Egress"] };
const DB = { matchLabels: { role: "db" } };
const FRONTEND = { matchLabels: { role: "frontend" } };
const OUTSIDE = [{ ipBlock: { cidr: `${CLIENT[4]}/32` } }, { ipBlock: { cidr: `${CLIENT[6]}/128` } }];

const inDefault = ({ namespace }: Neighbour): boolean => namespace === "default";
const apart: Truth<Neighbour> = ({ from, to }) => !inDefault(from) && !inDefault(to);

Deno.test("the policies of the Kubernetes documentation, over two nodes", async (t) => {
  await using lab = await startCluster({ containerd: false });
  using mesh = new Mesh();
  const scene = await settle(lab, mesh);
  await t.step("without policies everybody reaches everybody", () => scene.expect(() => true));
  await t.step(
    "default deny ingress: closed to all but the pod's own node, by each of its addresses (NP-28, NP-29, NP-30, NP-33)",
    () => denyThenAllow(scene, { types: ["Ingress"], truth: ({ to }) => !inDefault(to) }),
  );
  await t.step(
    "default deny egress: out of reach is all but the pod's own node, and whoever asks is answered (NP-30, NP-33, NP-35)",
    () => denyThenAllow(scene, { types: ["Egress"], truth: ({ from }) => !inDefault(from) }),
  );
  await t.step(
    "default deny all",
    () => denyThenAllow(scene, { types: ["Ingress", "Egress"], truth: apart }),
  );
  await t.step(
    "the example: blocks with exceptions, namespaces and pods, a port each way (NP-12)",
    () => playExample(scene),
  );
  await t.step("a range of ports, both ends in it (NP-19)", () => playRange(scene));
  await t.step("namespaces by their names", () => playNames(scene));
  await t.step("SCTP alone (NP-25)", () => {
    const policy = { podSelector: DB, ingress: [{ ports: [{ protocol: "SCTP", port: 7777 }] }] };
    return under(
      scene,
      { "default/sctp": policy },
      () => scene.expect(({ to, protocol }) => to.key !== "default/db" || protocol === "sctp"),
    );
  });
  await t.step("a pod of the host's network is no pod to policies (NP-31)", () => selectHostNetwork(scene));
  await t.step("connections under way outlive a new deny, new ones do not begin (NP-36)", () => denyLater(scene));
  await t.step("the path's MTU is learnt through a default deny (NP-26)", () => narrow(scene));
  await t.step("an echo request is judged by rules for all ports (NP-26)", () => playEcho(scene));
  await t.step("fragments are judged as the datagram that they make (NP-56)", () => sendFragments(scene));
  await t.step("what conntrack calls invalid is judged as what is new (NP-57)", () => sendInvalid(scene));
  await t.step("neighbours are found anew under a default deny (NP-27)", () => flushNeighbours(scene));
  await t.step(
    "an anycast address is guarded as its pod is, and known as its pod's (NP-54, NP-55)",
    () => playAnycast(scene),
  );
  await t.step("a node's own rules and the policies both have to accept (NP-52)", () => standBesideIptables(scene));
  await t.step("when all policies are gone everybody reaches everybody", () => scene.expect(() => true));
});

/** The default deny of the documentation, and its "allow all" beside it. */
async function denyThenAllow(
  scene: Neighbourhood,
  { types, truth }: { readonly types: readonly string[]; readonly truth: Truth<Neighbour> },
): Promise<void> {
  await under(scene, { "default/deny": { podSelector: ALL, policyTypes: types } }, async () => {
    await scene.expect(truth);
    const allow = { podSelector: ALL, policyTypes: types, ingress: [{}], egress: [{}] };
    await under(scene, { "default/allow": allow }, () => scene.expect(() => true));
  });
}

/** @param policies that go when the task is done */
function under(
  { lab }: Neighbourhood,
  policies: Readonly<Record<string, KubeObject>>,
  task: () => Promise<void>,
): Promise<void> {
  return underPolicies(lab, policies, task);
}

/** The big one of the documentation, with the lab's addresses: the router's is the exception. */
async function playExample(scene: Neighbourhood): Promise<void> {
  const blocks = [
    { ipBlock: { cidr: "198.51.100.0/24", except: [`${CLIENT_GATEWAY[4]}/32`] } },
    { ipBlock: { cidr: "2001:db8:c::/64", except: [`${CLIENT_GATEWAY[6]}/128`] } },
  ];
  const project = { namespaceSelector: { matchLabels: { project: "myproject" } } };
  const example = {
    podSelector: DB,
    policyTypes: ["Ingress", "Egress"],
    ingress: [{ from: [...blocks, project, { podSelector: FRONTEND }], ports: [{ protocol: "TCP", port: 6379 }] }],
    egress: [{ to: OUTSIDE, ports: [{ protocol: "TCP", port: 5978 }] }],
  };
  const clients = ["outside", "project/b", "default/frontend"];
  await under(scene, { "default/example": example }, () =>
    scene.expect(({ from, to, protocol, port }) => {
      const isPort = (wanted: number): boolean => protocol === "tcp" && port === wanted;
      if (from.key === "default/db") return to.key === "outside" && isPort(5978);
      return to.key !== "default/db" || clients.includes(from.key) && isPort(6379);
    }, [PORTS.redis, PORTS.redisUdp, PORTS.egress, PORTS.sctp]));
}

async function playRange(scene: Neighbourhood): Promise<void> {
  const ports = [{ protocol: "TCP", port: 32000, endPort: 32768 }];
  const policy = { podSelector: DB, policyTypes: ["Egress"], egress: [{ to: OUTSIDE, ports }] };
  await under(scene, { "default/range": policy }, () =>
    scene.expect(
      ({ from, to, port }) => from.key !== "default/db" || to.key === "outside" && port >= 32000 && port <= 32768,
      [PORTS.beforeRange, PORTS.rangeStart, PORTS.rangeEnd, PORTS.afterRange],
    ));
}

async function playNames(scene: Neighbourhood): Promise<void> {
  const expression = { key: "kubernetes.io/metadata.name", operator: "In", values: ["project", "nowhere"] };
  const to = [{ namespaceSelector: { matchExpressions: [expression] } }];
  const policy = { podSelector: FRONTEND, policyTypes: ["Egress"], egress: [{ to }] };
  await under(
    scene,
    { "default/names": policy },
    () => scene.expect(({ from, to }) => from.key !== "default/frontend" || to.namespace === "project"),
  );
}

/** Its labels are selected, its address is the node's, and neither the node nor the pods that ask it are touched. */
async function selectHostNetwork(scene: Neighbourhood): Promise<void> {
  const { lab } = scene;
  const node = lab.node("node-a");
  const metadata = { namespace: "default", name: "host", labels: { role: "host" } };
  const containers = [{ name: "main", image: "example.com/app:1" }];
  const spec = { nodeName: node.name, hostNetwork: true, automountServiceAccountToken: false, containers };
  await lab.api.apply({ apiVersion: "v1", kind: "Pod", metadata, spec });
  const podIPs = Object.values(node.spec.addresses).map((ip) => ({ ip }));
  const path = "/api/v1/namespaces/default/pods/host";
  await lab.api.patch(`${path}/status`, { status: { phase: "Running", podIP: podIPs[0]?.ip, podIPs } });
  const host = { podSelector: { matchLabels: { role: "host" } }, policyTypes: ["Ingress", "Egress"] };
  const policies = { "default/host": host, "default/db": { podSelector: DB, policyTypes: ["Ingress"] } };
  await under(scene, policies, () => scene.expect(({ to }) => to.key !== "default/db"));
  await lab.api.delete(path);
}

/** Other pods of both nodes are isolated from the start: the kernel knows no connection from before it has tracked any. */
async function denyLater(scene: Neighbourhood): Promise<void> {
  const { mesh } = scene;
  const db = scene.pod("default/db");
  const open = { podSelector: ALL, ingress: [{}] };
  const flows = ["default/frontend", "default/other", "outside"].flatMap((key) =>
    ([4, 6] as const).map((family) => ({ netns: scene.neighbour(key).netns, to: db.address(family), port: 80 }))
  );
  await under(scene, { "project/open": open, "stranger/open": open, "default/db": { podSelector: DB } }, async () => {
    await scene.expect(({ to }) => to !== db);
    await setPolicy(scene.lab, "default/db", null);
    await scene.expect(() => true);
    const connections = await Promise.all(flows.map((flow) => mesh.connect(flow)));
    await under(scene, { "default/deny": DENY_ALL }, async () => {
      await scene.expect(apart);
      for (const connection of connections) assertEquals(await connection.exchange("still here"), 10);
      await Promise.all(flows.map((flow) => assertRejects(() => mesh.connect(flow), Error, "no answer")));
    });
    for (const connection of connections) connection[Symbol.dispose]();
  });
}

/** The link to the client narrows after both ends have agreed on long segments: only the router's errors tell the pod. */
async function narrow(scene: Neighbourhood): Promise<void> {
  const { lab, mesh } = scene;
  const db = scene.pod("default/db");
  const policies = {
    "default/deny": DENY_ALL,
    "default/allow": { podSelector: DB, policyTypes: ["Egress"], egress: [{ to: OUTSIDE, ports: [{ port: 80 }] }] },
  };
  await under(scene, policies, async () => {
    await scene.expect(({ from, to, protocol }) =>
      from.key === "default/db" ? to.key === "outside" && protocol === "tcp" : !inDefault(from) && !inDefault(to)
    );
    const connect = (family: 4 | 6) => mesh.connect({ netns: db.netns, to: CLIENT[family], port: 80 });
    using four = await connect(4);
    using six = await connect(6);
    await lab.router.output(["ip", "link", "set", "p-client", "mtu", "1400"]);
    await lab.client.output(["ip", "link", "set", "up0", "mtu", "1400"]);
    for (const connection of [four, six]) {
      assertEquals(await connection.exchange("x".repeat(100_000), { timeoutMs: 10_000 }), 100_000);
    }
    for (const family of [4, 6] as const) {
      assertMatch(await db.sandbox.output(["ip", "route", "get", CLIENT[family]]), /\bmtu 1400\b/);
    }
  });
  await lab.router.output(["ip", "link", "set", "p-client", "mtu", "9000"]);
  await lab.client.output(["ip", "link", "set", "up0", "mtu", "9000"]);
}

async function playEcho(scene: Neighbourhood): Promise<void> {
  const db = scene.pod("default/db");
  const [frontend, outside] = ["default/frontend", "outside"].map((key) => scene.neighbour(key));
  assert(frontend !== undefined && outside !== undefined);
  const policies = {
    "default/ports": { podSelector: DB, ingress: [{ ports: [{ port: 80 }] }] },
    "default/all": { podSelector: DB, ingress: [{ from: [{ podSelector: FRONTEND }] }] },
  };
  await under(scene, policies, async () => {
    await scene.expect(({ from, to, protocol }) =>
      to.key !== "default/db" || protocol === "tcp" || from.key === "default/frontend"
    );
    for (const family of [4, 6] as const) {
      await expectPing(scene.pod("default/frontend").sandbox, db.address(family));
      await expectPing(db.node, db.address(family));
      assertEquals(await ping(scene.lab.client, db.address(family), { timeoutMs: 300 }), undefined);
    }
  });
}

/** Only the first fragment has the port. */
async function sendFragments(scene: Neighbourhood): Promise<void> {
  const policies = {
    "default/deny": DENY_ALL,
    "default/allow-in": { podSelector: DB, ingress: [{ from: OUTSIDE, ports: [{ protocol: "UDP", port: 6379 }] }] },
    "default/allow-out": { podSelector: DB, policyTypes: ["Egress"], egress: [{ to: OUTSIDE }] },
  };
  const db = scene.pod("default/db");
  const both = ([4, 6] as const).flatMap((family) => {
    const toPod = (key: string, port: number) => ({ ...scene.neighbour(key), to: db.address(family), port });
    const out = { netns: db.netns, to: CLIENT[family], port: 6379 };
    return [toPod("outside", 6379), out, toPod("router", 6379), toPod("outside", 7000)];
  });
  const flows = both.map(({ netns, to, port }) => ({ netns, to, port, protocol: "udp", bytes: 40_000 }) as const);
  scene.mesh.serve({ name: db.key, netns: db.netns, protocol: "udp", address: db.address(4), port: 7000 });
  scene.mesh.serve({ name: db.key, netns: db.netns, protocol: "udp", address: db.address(6), port: 7000 });
  const expect = (expected: readonly boolean[]): Promise<unknown> =>
    until("the right datagrams are answered", async () => {
      const answers = await scene.mesh.probe(flows);
      assertEquals(answers.map((answer) => answer !== undefined), [...expected, ...expected]);
      return true;
    });
  await expect([true, true, true, true]);
  await under(scene, policies, async () => void await expect([true, true, false, false]));
}

/** An answer to a connection that nobody has asked for: a host that gets one resets it. */
async function sendInvalid(scene: Neighbourhood): Promise<void> {
  const { lab } = scene;
  const db = scene.pod("default/db");
  const [, mac = ""] = /ether (\S+)/.exec(await lab.router.output(["ip", "link", "show", "p-client"])) ?? [];
  const send = (family: 4 | 6): Promise<void> =>
    sendFrames(lab.client, [strayAnswer(CLIENT[family], db.address(family), mac)], { link: "up0" });
  const allow = { podSelector: DB, ingress: [{ from: OUTSIDE, ports: [{ port: 80 }] }] };
  await under(scene, { "default/deny": DENY_INGRESS }, async () => {
    await scene.expect(({ to }) => !inDefault(to));
    await using resets = await capture(lab.client, "tcp src port 80 and dst port 443", { link: "up0" });
    for (const family of [4, 6] as const) await send(family);
    await under(scene, { "default/allow": allow }, async () => {
      await scene.expect(({ from, to, protocol }) =>
        !inDefault(to) || to === db && from.key === "outside" && protocol === "tcp"
      );
      const before = (await resets.packets(0)).length;
      for (const family of [4, 6] as const) await send(family);
      const seen = await resets.packets(2);
      assert(before === 0 && seen.length === 2 && seen.every((packet) => packet.includes("[R]")), seen.join("\n"));
    });
  });
}

/** SYN and ACK, from port 443 to the pod's port 80. */
function strayAnswer(from: string, to: string, mac: string): Uint8Array {
  const body = new Uint8Array([1, 187, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x12, 255, 255, 0, 0, 0, 0]);
  return frameOf(withChecksum({ from: ip(from), to: ip(to), protocol: 6, body }, 16), mac);
}

/** Both ends forget each other's MAC addresses, which flock had made permanent. */
async function flushNeighbours(scene: Neighbourhood): Promise<void> {
  const { node, sandbox } = scene.pod("default/db");
  const policies = {
    "default/deny": DENY_ALL,
    "default/allow": { podSelector: DB, policyTypes: ["Ingress"], ingress: [{ from: OUTSIDE }] },
  };
  const truth = ({ from, to }: { from: Neighbour; to: Neighbour }): boolean =>
    !inDefault(from) && (!inDefault(to) || to.key === "default/db" && from.key === "outside");
  await under(scene, policies, async () => {
    await scene.expect(truth);
    for (const family of ["-4", "-6"]) {
      const flush = ["neigh", "flush", "nud", "permanent", "dev"];
      await Promise.all([
        sandbox.output(["ip", family, ...flush, "eth0"]),
        node.output(["ip", family, ...flush, sandbox.hostLink]),
      ]);
    }
    await scene.expect(truth);
  });
}

async function playAnycast(scene: Neighbourhood): Promise<void> {
  const { lab, mesh } = scene;
  for (const address of Object.values(ANYCAST)) await lab.router.waitForPaths(alone(address), 1);
  const dns: Neighbour = { ...scene.pod("default/dns"), address: (family) => ANYCAST[family] };
  const [frontend, outside] = [scene.neighbour("default/frontend"), scene.neighbour("outside")];
  const pairs = [
    ...pairsOf({ from: [outside, frontend], to: [dns], ports: SOME }),
    ...pairsOf({ from: [dns], to: [frontend, outside], ports: SOME }),
  ];
  const expect = (truth: (from: Neighbour, to: Neighbour) => boolean): Promise<void> =>
    expectTruth(mesh, { pairs, truth: ({ from, to }) => truth(from, to) });
  await expect(() => true);
  await under(scene, { "default/deny": DENY_INGRESS }, async () => {
    await expect((_, to) => to === outside);
    const clients = { podSelector: { matchLabels: { app: "dns" } }, ingress: [{ from: OUTSIDE }] };
    await under(scene, { "default/clients": clients }, () => expect((from, to) => from === outside || to === outside));
    const source = { podSelector: FRONTEND, ingress: [{ from: [{ podSelector: { matchLabels: { app: "dns" } } }] }] };
    await under(scene, { "default/source": source }, () => expect((from) => from === dns));
  });
  await under(scene, { "default/deny": DENY_EGRESS }, () => expect((from) => from === outside));
}

/** A firewall of the node's that drops what it forwards, and lets pods through, for a while. */
async function standBesideIptables(scene: Neighbourhood): Promise<void> {
  const { node } = scene.pod("default/db");
  const iptables = async (...words: string[]): Promise<void> => {
    for (const tool of ["iptables", "ip6tables"]) await node.output([tool, ...words]);
  };
  const isForwarded = ({ from, to }: { from: Neighbour; to: Neighbour }): boolean =>
    [from, to].some((end) => end.namespace !== undefined && end.node === node);
  await iptables("-P", "FORWARD", "DROP");
  for (const direction of ["-i", "-o"]) await iptables("-A", "FORWARD", direction, "flock+", "-j", "ACCEPT");
  await under(scene, { "default/deny": DENY_INGRESS }, async () => {
    await scene.expect(({ to }) => !inDefault(to));
    await under(scene, { "default/allow": { ...DENY_INGRESS, ingress: [{}] } }, async () => {
      await scene.expect(() => true);
      await iptables("-F", "FORWARD");
      await scene.expect((pair) => !isForwarded(pair));
    });
  }).finally(() => iptables("-P", "FORWARD", "ACCEPT"));
}
