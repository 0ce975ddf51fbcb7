/**
 * Pods as policies see them: in namespaces, with labels and named ports, each a server on every address that it has.
 */
import { record } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import type { Mesh } from "../lab/mesh.ts";
import type { LabNode } from "../lab/node.ts";
import type { SocketProtocol } from "../lab/sockets.ts";
import { addSandbox, type Sandbox } from "./_sandbox.ts";

export interface PolicyPodSpec {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Whole keys. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Where it serves, each with the name `serve-PORT-PROTOCOL`. */
  readonly serves?: readonly { readonly protocol: SocketProtocol; readonly port: number }[];
  /** That it has beside those of its interface. */
  readonly addresses?: readonly string[];
}

export interface PolicyPod {
  readonly namespace: string;
  readonly name: string;
  /** `namespace/name`, which is what its servers call themselves. */
  readonly key: string;
  /** Its REST path. */
  readonly path: string;
  readonly node: LabNode;
  /** A path for this process. */
  readonly netns: string;
  readonly sandbox: Sandbox;
  /** @throws when it has none of that family */
  readonly address: Sandbox["address"];
}

/** What runs a pod, and serves in it. */
export interface PodGround {
  readonly lab: Lab;
  readonly mesh: Mesh;
}

/** Creates the Pod, its sandbox and its servers, and reports it Running and Ready, as kubelet does. */
export async function runPolicyPod(
  { lab, mesh }: PodGround,
  { node, ...spec }: PolicyPodSpec & { readonly node: LabNode },
): Promise<PolicyPod> {
  const { namespace, name, serves = [] } = spec;
  const created = await lab.api.apply(podObject(spec, node.name));
  const uid = String(record(created["metadata"])["uid"]);
  const sandbox = await addSandbox(node, { pod: { namespace, name, uid } });
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  await lab.api.patch(`${path}/status`, { status: readyStatus(sandbox.addresses) });
  const netns = node.outside(`/run/netns/${sandbox.id}`);
  const pod = { namespace, name, key: `${namespace}/${name}`, path, node, netns, sandbox, address: sandbox.address };
  for (const address of [...sandbox.addresses, ...spec.addresses ?? []]) {
    for (const { protocol, port } of serves) mesh.serve({ name: pod.key, netns, protocol, address, port });
  }
  return pod;
}

/** Creates namespaces, or sets the labels of those that are there. */
export async function makeNamespaces(
  { api }: Lab,
  namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<void> {
  await Promise.all(
    Object.entries(namespaces).map(([name, labels]) =>
      api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } })
    ),
  );
}

/** @param spec of a NetworkPolicy; null: the policy goes */
export async function setPolicy({ api }: Lab, key: string, spec: KubeObject | null): Promise<void> {
  const [namespace = "", name = ""] = key.split("/");
  if (spec === null) {
    return await api.delete(`/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies/${name}`);
  }
  const metadata = { namespace, name };
  await api.apply({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata, spec });
}

/** Does the task under the policies, and takes them away. */
export async function underPolicies<T>(
  lab: Lab,
  policies: Readonly<Record<string, KubeObject>>,
  task: () => Promise<T>,
): Promise<T> {
  for (const [key, spec] of Object.entries(policies)) await setPolicy(lab, key, spec);
  try {
    return await task();
  } finally {
    for (const key of Object.keys(policies)) await setPolicy(lab, key, null);
  }
}

function podObject(spec: PolicyPodSpec, nodeName: string): KubeObject {
  const { namespace, name, labels = {}, annotations = {}, serves = [] } = spec;
  const ports = serves.map(({ protocol, port }) => ({
    name: `serve-${port}-${protocol}`,
    protocol: protocol.toUpperCase(),
    containerPort: port,
  }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels, annotations },
    spec: {
      nodeName,
      automountServiceAccountToken: false,
      containers: [{ name: "main", image: "example.com/app:1", ports }],
    },
  };
}

function readyStatus(addresses: readonly string[]): KubeObject {
  return {
    phase: "Running",
    podIP: addresses[0],
    podIPs: addresses.map((ip) => ({ ip })),
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: new Date().toISOString() }],
  };
}
