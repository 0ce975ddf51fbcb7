/**
 * What policies meet on a node beside ordinary pods: pods of the host's network, connections under way, anycast, other
 * firewalls, other nodes.
 */
import { assertEquals, assertRejects } from "@std/assert";
import type { LabNode } from "../lab/node.ts";
import { ANYCAST, type Neighbour, type Neighbourhood, SOME } from "./_neighbourhood.ts";
import { setPolicy } from "./_policy_pods.ts";
import {
  ALL,
  apart,
  DB,
  DENY_ALL,
  DENY_EGRESS,
  DENY_INGRESS,
  FRONTEND,
  inDefault,
  OUTSIDE,
  under,
} from "./_recipes.ts";
import { alone } from "./_service_pod.ts";
import { expectTruth, pairsOf } from "./_truth.ts";

/**
 * Its labels are selected, and named as a peer's; its address is the node's, and stays as open as before, and as
 * closed.
 */
export async function selectHostNetwork(scene: Neighbourhood): Promise<void> {
  const { lab } = scene;
  const node = lab.node("node-a");
  const metadata = { namespace: "default", name: "host", labels: { role: "host" } };
  const containers = [{ name: "main", image: "example.com/app:1" }];
  const spec = { nodeName: node.name, hostNetwork: true, automountServiceAccountToken: false, containers };
  await lab.api.apply({ apiVersion: "v1", kind: "Pod", metadata, spec });
  const podIPs = Object.values(node.spec.addresses).map((ip) => ({ ip }));
  const path = "/api/v1/namespaces/default/pods/host";
  await lab.api.patch(`${path}/status`, { status: { phase: "Running", podIP: podIPs[0]?.ip, podIPs } });
  const host = { matchLabels: { role: "host" } };
  const policies = {
    "default/host": { podSelector: host, policyTypes: ["Ingress", "Egress"] },
    "default/frontend": { podSelector: FRONTEND, ingress: [{ from: [{ podSelector: host }] }] },
  };
  await under(scene, policies, () => scene.expect(({ to }) => to.key !== "default/frontend"));
  await lab.api.delete(path);
}

/**
 * Other pods of both nodes are isolated from the start: the kernel knows no connection from before it has tracked any.
 */
export async function denyLater(scene: Neighbourhood): Promise<void> {
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

export async function playAnycast(scene: Neighbourhood): Promise<void> {
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
export async function standBesideIptables(scene: Neighbourhood): Promise<void> {
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

/** A pod of node-a alone is isolated: it is in that node's table, and in no other. */
export async function listTables(scene: Neighbourhood): Promise<void> {
  const { sandbox: { hostLink } } = scene.pod("default/db");
  const has = async ({ output }: LabNode): Promise<boolean> =>
    (await output(["nft", "list", "table", "inet", "flock-policy"])).includes(`chain to_${hostLink} `);
  await under(scene, { "default/db": { podSelector: DB } }, async () => {
    await scene.expect(({ to }) => to.key !== "default/db");
    assertEquals(await Promise.all(scene.lab.nodes.map(has)), [true, false]);
  });
}
