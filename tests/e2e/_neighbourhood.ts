/**
 * Everybody that a policy may have to do with, over two nodes: pods in several namespaces, the nodes themselves, a
 * client and a router outside.
 */
import type { Family } from "../../src/ip/address.ts";
import type { Lab } from "../lab/lab.ts";
import type { Mesh } from "../lab/mesh.ts";
import type { LabNode } from "../lab/node.ts";
import type { Place } from "../lab/place.ts";
import { CLIENT, CLIENT_GATEWAY } from "../lab/topology.ts";
import { makeNamespaces, type PolicyPod, type PolicyPodSpec, runPolicyPod } from "./_policy_pods.ts";
import { expectTruth, type Host, pairsOf, type ServedPort, type Truth } from "./_truth.ts";

/** A second address of node-a's uplink. */
const SECONDARY = { 4: "192.0.2.110", 6: "2001:db8:1::6e" } as const;
export const ANYCAST = { 4: "198.18.0.1", 6: "2001:db8:a::1" } as const;

/** The ports that the policies of the documentation name, and their neighbours; everybody serves all of them. */
export const PORTS = {
  web: { protocol: "tcp", port: 80 },
  redis: { protocol: "tcp", port: 6379 },
  redisUdp: { protocol: "udp", port: 6379 },
  egress: { protocol: "tcp", port: 5978 },
  sctp: { protocol: "sctp", port: 7777 },
  beforeRange: { protocol: "tcp", port: 31999 },
  rangeStart: { protocol: "tcp", port: 32000 },
  rangeEnd: { protocol: "tcp", port: 32768 },
  afterRange: { protocol: "tcp", port: 32769 },
} as const satisfies Record<string, ServedPort>;

/** One of each protocol. */
export const SOME = [PORTS.web, PORTS.redisUdp, PORTS.sctp];

/** A pod, or somebody without a namespace. */
export interface Neighbour extends Host {
  readonly namespace?: string;
  /** Of a pod: where it runs. Of a node: itself. */
  readonly node?: LabNode;
}

export interface Neighbourhood {
  readonly lab: Lab;
  readonly mesh: Mesh;
  /** On node-a: `db`, `other`, `dns` of `default` and `stranger/a`; on node-b: `frontend` of `default`, `project/b`. */
  pod(key: string): PolicyPod;
  /** `outside`, `router`, `node-a`, `node-a again` (by its second address), `node-b`. @throws when there is none */
  neighbour(key: string): Neighbour;
  /**
   * Waits until it is as the table says, beside what is always so: a pod and its own node reach each other, and
   * everybody itself.
   */
  expect(truth: Truth<Neighbour>, ports?: readonly ServedPort[]): Promise<void>;
}

const PODS: readonly (PolicyPodSpec & { readonly on: string })[] = [
  { namespace: "default", name: "db", labels: { role: "db" }, on: "node-a" },
  { namespace: "default", name: "frontend", labels: { role: "frontend" }, on: "node-b" },
  { namespace: "default", name: "other", on: "node-a" },
  {
    ...{ namespace: "default", name: "dns", labels: { app: "dns" }, on: "node-a", addresses: Object.values(ANYCAST) },
    annotations: { "flock.fritzlab.net/anycast": Object.values(ANYCAST).join() },
  },
  { namespace: "project", name: "b", labels: { role: "frontend" }, on: "node-b" },
  { namespace: "stranger", name: "a", on: "node-a" },
];

/** Runs the pods, and starts everybody's servers. */
export async function settle(lab: Lab, mesh: Mesh): Promise<Neighbourhood> {
  const nodeA = lab.node("node-a");
  await nodeA.output(["ip", "address", "add", `${SECONDARY[4]}/24`, "dev", "up0"]);
  await nodeA.output(["ip", "address", "add", `${SECONDARY[6]}/64`, "dev", "up0", "nodad"]);
  await makeNamespaces(lab, { project: { project: "myproject" }, stranger: {} });
  const serves = Object.values(PORTS);
  const pods = await Promise.all(
    PODS.map(({ on, ...spec }) => runPolicyPod({ lab, mesh }, { ...spec, serves, node: lab.node(on) })),
  );
  const nodes = lab.nodes.map((node) => ({ ...placeHost(node.name, node, node.spec.addresses), node }));
  const again = { ...placeHost("node-a again", nodeA, SECONDARY), node: nodeA };
  const outside = placeHost("outside", lab.client, CLIENT);
  const router = placeHost("router", lab.router, CLIENT_GATEWAY);
  const served = [outside, ...nodes];
  for (const host of served) serve(mesh, host, serves);
  const neighbours: Neighbour[] = [...pods, ...served, again, router];
  const find = <H extends Host>(hosts: readonly H[], key: string): H => {
    const found = hosts.find((host) => host.key === key);
    if (found === undefined) throw new Error(`Cannot find ${key}: there is no such neighbour`);
    return found;
  };
  return {
    lab,
    mesh,
    pod: (key) => find(pods, key),
    neighbour: (key) => find(neighbours, key),
    expect: async (truth, ports = SOME) => {
      const toPods = pairsOf<Neighbour>({ from: neighbours, to: pods, ports });
      const toOthers = pairsOf<Neighbour>({ from: pods, to: served, ports });
      await expectTruth(mesh, { pairs: [...toPods, ...toOthers], truth: (pair) => isAtHome(pair) || truth(pair) });
    },
  };
}

/** A pod and its own node, by any address, or a pod and itself. */
function isAtHome({ from, to }: { readonly from: Neighbour; readonly to: Neighbour }): boolean {
  const isWithNode = from.namespace === undefined || to.namespace === undefined;
  return from === to || isWithNode && from.node !== undefined && from.node === to.node;
}

function placeHost(key: string, place: Place, addresses: Readonly<Partial<Record<Family, string>>>): Host {
  return { key, netns: `/proc/${place.pid}/ns/net`, address: (family) => addresses[family] ?? "" };
}

function serve(mesh: Mesh, { key, netns, address }: Host, ports: readonly ServedPort[]): void {
  for (const family of [4, 6] as const) {
    for (const port of ports) mesh.serve({ name: key, netns, address: address(family), ...port });
  }
}
