/**
 * The policies of the Kubernetes documentation (concepts/services-networking/network-policies), over two nodes with
 * real packets, and what must go on beside them.
 */
import { Mesh } from "../lab/mesh.ts";
import { CLIENT_GATEWAY } from "../lab/topology.ts";
import { startCluster } from "./_cluster.ts";
import { type Neighbour, type Neighbourhood, PORTS, settle } from "./_neighbourhood.ts";
import { flushNeighbours, narrow, playEcho, sendFragments, sendInvalid } from "./_policy_packets.ts";
import { denyLater, listTables, playAnycast, selectHostNetwork, standBesideIptables } from "./_policy_surroundings.ts";
import { ALL, apart, DB, FRONTEND, inDefault, OUTSIDE, under } from "./_recipes.ts";
import type { Truth } from "./_truth.ts";

Deno.test("the policies of the Kubernetes documentation, over two nodes", async (t) => {
  await using lab = await startCluster({ containerd: false });
  using mesh = new Mesh();
  const scene = await settle(lab, mesh);
  await t.step("without policies everybody reaches everybody", () => scene.expect(() => true));
  await t.step(
    "default deny ingress: silent to all but the pod's own node, by each of its addresses (NP-28, NP-29, NP-30, NP-33, NP-63)",
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
  await t.step(
    "a pod of the host's network is no pod to policies, neither selected nor a peer (NP-31, NP-32)",
    () => selectHostNetwork(scene),
  );
  await t.step(
    "agents of one machine, in namespaces of their own, have tables of their own (NP-64)",
    () => listTables(scene),
  );
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
