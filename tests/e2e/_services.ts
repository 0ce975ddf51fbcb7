/** Services with one backend each, made by hand as the controllers would, and who reaches them from where. */
import type { Family } from "../../src/ip/address.ts";
import { record, records } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import type { Flow } from "../lab/mesh.ts";
import type { LabNode } from "../lab/node.ts";
import { CLIENT } from "../lab/topology.ts";
import type { PolicyPod } from "./_policy_pods.ts";

/** Of the Service. Its target port is another. */
const PORT = 8080;
export const TARGET_PORT = 80;
export const SERVICE_PROTOCOLS = ["tcp", "udp"] as const;

export type TrafficPolicy = "Cluster" | "Local";

export interface Service {
  readonly backend: PolicyPod;
  readonly traffic: TrafficPolicy;
  clusterIp(family: Family): string;
  nodePort(protocol: typeof SERVICE_PROTOCOLS[number]): number;
}

/** A request to a Service. */
export interface ServiceRequest {
  readonly flow: Flow;
  readonly service: Service;
  /**
   * Whom the backend's node sees when it judges: a pod, the outside client, or a node that asks or has masqueraded.
   * Absent: it cannot arrive.
   */
  readonly seen?: PolicyPod | LabNode | "outside";
  /** The pod that asks; absent: a node, or the client outside. */
  readonly client?: PolicyPod;
  readonly text: string;
}

/** Makes a dual-stack Service of type NodePort, with its EndpointSlices. */
export async function makeService(
  { api }: Lab,
  { backend, traffic }: Pick<Service, "backend" | "traffic">,
): Promise<Service> {
  const { namespace } = backend;
  const name = `${backend.name}-${traffic.toLowerCase()}`;
  const ports = SERVICE_PROTOCOLS.map((name) => ({ name, protocol: name.toUpperCase() }));
  const made = await api.apply({
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace, name },
    spec: {
      type: "NodePort",
      ipFamilyPolicy: "RequireDualStack",
      externalTrafficPolicy: traffic,
      ports: ports.map((port) => ({ ...port, port: PORT, targetPort: TARGET_PORT })),
    },
  });
  for (const family of [4, 6] as const) {
    await api.apply({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { namespace, name: `${name}-${family}`, labels: { "kubernetes.io/service-name": name } },
      addressType: `IPv${family}`,
      ports: ports.map((port) => ({ ...port, port: TARGET_PORT })),
      endpoints: [{ addresses: [backend.address(family)], conditions: { ready: true }, nodeName: backend.node.name }],
    });
  }
  const spec = record(made["spec"]);
  const addresses = Array.isArray(spec["clusterIPs"]) ? spec["clusterIPs"].map(String) : [];
  return {
    backend,
    traffic,
    clusterIp: (family) => addresses.find((address) => address.includes(":") === (family === 6)) ?? "",
    nodePort: (protocol) => Number(records(spec["ports"]).find(({ name }) => name === protocol)?.["nodePort"]),
  };
}

/**
 * @returns every pod and node to the address of every Service, pods to its port on their own node too, the client
 * outside to that port on every node; each protocol and family
 */
export function requestsOf(
  lab: Lab,
  { services, pods }: { readonly services: readonly Service[]; readonly pods: readonly PolicyPod[] },
): ServiceRequest[] {
  const variants = services.flatMap((service) =>
    SERVICE_PROTOCOLS.flatMap((protocol) => ([4, 6] as const).map((family) => ({ service, protocol, family })))
  );
  return variants.flatMap(({ service, protocol, family }) => {
    const to = `${service.backend.key} (${service.traffic}) ${protocol} IPv${family}`;
    const nodePort = (node: LabNode): Pick<Flow, "protocol" | "to" | "port"> => {
      return { protocol, to: node.spec.addresses[family] ?? "", port: service.nodePort(protocol) };
    };
    const address = { protocol, to: service.clusterIp(family), port: PORT };
    const byAddress = pods.map((client): ServiceRequest => ({
      flow: { netns: client.netns, ...address },
      ...{ service, client, seen: client, text: `${client.key} -> ${to}` },
    }));
    const fromNodes = lab.nodes.map((node): ServiceRequest => ({
      flow: { netns: `/proc/${node.pid}/ns/net`, ...address },
      ...{ service, seen: node, text: `${node.name} -> ${to}` },
    }));
    const byOwnNode = pods.map((client): ServiceRequest => ({
      flow: { netns: client.netns, ...nodePort(client.node) },
      ...{ service, client, seen: seenOfPod(client, service), text: `${client.key} -> ${client.node.name} -> ${to}` },
    }));
    const fromOutside = lab.nodes.map((node): ServiceRequest => ({
      flow: { netns: `/proc/${lab.client.pid}/ns/net`, source: CLIENT[family], ...nodePort(node) },
      ...{ service, text: `outside -> ${node.name} -> ${to}`, ...seenOfOutside(node, service) },
    }));
    return [...byAddress, ...byOwnNode, ...fromNodes, ...fromOutside];
  });
}

/** The node that was asked masquerades before the packet leaves it, and after its own policy has looked at it. */
function seenOfOutside(node: LabNode, { backend, traffic }: Service): Pick<ServiceRequest, "seen"> {
  if (node === backend.node) return { seen: "outside" };
  return traffic === "Cluster" ? { seen: node } : {};
}

/**
 * As for outside; but with `Local` kube-proxy takes what pods send to their own node's port for a request to the
 * Service's address.
 */
function seenOfPod(client: PolicyPod, { backend, traffic }: Service): PolicyPod | LabNode {
  return traffic === "Cluster" && client.node !== backend.node ? client.node : client;
}
