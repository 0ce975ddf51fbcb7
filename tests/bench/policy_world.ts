/** A cluster of ten thousand pods and a thousand policies, as objects of the API. Pure: the same every time. */
import type { Filling } from "../lab/api/api_server.ts";

/** Of each policy. */
export const PEERS_EACH = 10;
/** Kubelet's default for a node. */
export const LOCAL_PODS = 110;
/** Where the policies are and the node's own pods; the others are in namespaces of ten teams. */
export const NAMESPACE = "default";
const TEAMS = 10;
export const PROBE_PORT = 7777;

const APP = "app.kubernetes.io/name";
const GROUP = "group";
const LOCAL = "local";

/** @returns the namespaces of the crowd */
export function teamNamespaces(): Filling {
  const variants = Array.from(
    { length: TEAMS },
    (_, n) => ({ metadata: { name: `team-${n}`, labels: { team: `${n}` } } }),
  );
  return { collection: "/api/v1/namespaces", base: { status: { phase: "Active" } }, variants };
}

/** One pod of another node. */
export interface CrowdPod {
  /** From 0; names it. */
  readonly index: number;
  /** Label by which policies know it. Default: that of its Deployment, which has ten. */
  readonly group?: string;
}

/** @returns the Deployment of a pod */
function deploymentOf(index: number): number {
  return Math.floor(index / PEERS_EACH);
}

/** @returns that group of ten of the crowd whose peers policy `index` has */
export function groupOf(index: number): string {
  return `g-${index}`;
}

/** @returns the address of a pod of the crowd, of each family; no other host has it */
export function addressesOf(index: number): { readonly 4: string; readonly 6: string } {
  return {
    4: `100.${64 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`,
    6: `2001:db8:c0de::${(index + 1).toString(16)}`,
  };
}

export function pathOf(index: number): string {
  return `/api/v1/namespaces/${namespaceOf(index)}/pods/${nameOf(index)}`;
}

function namespaceOf(index: number): string {
  return `team-${deploymentOf(index) % TEAMS}`;
}

function nameOf(index: number): string {
  return `web-${index.toString(16).padStart(10, "0")}-x7k2p`;
}

/** @returns pods as large as real ones */
export function crowdPods(pods: readonly CrowdPod[]): Filling {
  return { collection: "/api/v1/pods", base: CROWD_POD, variants: pods.map(variantOf) };
}

/** @returns what a pod of the crowd has of its own, as a merge patch */
function variantOf({ index, group = groupOf(deploymentOf(index)) }: CrowdPod): Record<string, unknown> {
  const addresses = addressesOf(index);
  return {
    metadata: {
      name: nameOf(index),
      namespace: namespaceOf(index),
      labels: {
        [APP]: `web-${deploymentOf(index)}`,
        [GROUP]: group,
        "pod-template-hash": deploymentOf(index).toString(36).padStart(9, "7d"),
      },
    },
    status: { podIP: addresses[6], podIPs: [{ ip: addresses[6] }, { ip: addresses[4] }] },
  };
}

/** @returns a whole object, to be created by itself */
export function crowdPod(pod: CrowdPod): Filling {
  return crowdPods([pod]);
}

/** @returns the policies `first` to `end` - 1, each for one of the node's pods */
export function worldPolicies(first: number, end: number): Filling {
  const variants = Array.from({ length: end - first }, (_, n) => {
    const { metadata, spec } = policyOf(`world-${first + n}`, {
      local: (first + n) % LOCAL_PODS,
      group: groupOf(first + n),
    });
    return { metadata, spec };
  });
  return { collection: "/apis/networking.k8s.io/v1/networkpolicies", base: {}, variants };
}

export interface PolicySpec {
  /** The pod of the node that is selected. */
  readonly local: number;
  /** The pods that may reach it; absent: every pod of the teams. */
  readonly group?: string;
}

/** @returns a NetworkPolicy that lets its peers reach the probe's port and a few more */
export function policyOf(
  name: string,
  { local, group }: PolicySpec,
): {
  readonly metadata: Record<string, unknown>;
  readonly spec: Record<string, unknown>;
  readonly [key: string]: unknown;
} {
  const podSelector = group === undefined ? {} : { matchLabels: { [GROUP]: group } };
  const from = [{ namespaceSelector: { matchExpressions: [{ key: "team", operator: "Exists" }] }, podSelector }];
  const ports = [{ protocol: "UDP", port: PROBE_PORT }, { protocol: "TCP", port: 443 }, {
    protocol: "TCP",
    port: 8080,
    endPort: 8090,
  }];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace: NAMESPACE },
    spec: {
      podSelector: { matchLabels: { [LOCAL]: `${local}` } },
      policyTypes: ["Ingress"],
      ingress: [{ from, ports }],
    },
  };
}

/** @returns a NetworkPolicy that lets the second of the node's pods reach the first, at any port */
export function talkPolicy(): Readonly<Record<string, unknown>> {
  const { spec, ...policy } = policyOf("talk", { local: 0 });
  return { ...policy, spec: { ...spec, ingress: [{ from: [{ podSelector: { matchLabels: { [LOCAL]: "1" } } }] }] } };
}

/** @returns the labels of the node's own pods */
export function labelsOfLocal(local: number): Record<string, string> {
  return { [APP]: "local", [LOCAL]: `${local}` };
}

/** @returns a merge patch that puts a pod of the crowd into a group */
export function regroup(group: string): Record<string, unknown> {
  return { metadata: { labels: { [GROUP]: group } } };
}

const TIME = "2026-01-01T00:00:00Z";

/** What the API server tells of an ordinary pod: some 5 kB, of which a third says who wrote which field. */
const CROWD_POD: Readonly<Record<string, unknown>> = {
  metadata: {
    generateName: "web-",
    annotations: {
      "kubectl.kubernetes.io/restartedAt": TIME,
      "prometheus.io/scrape": "true",
      "prometheus.io/port": "9090",
    },
    ownerReferences: [{
      ...{
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        name: "web-7d9c5b8f64",
        controller: true,
        blockOwnerDeletion: true,
      },
      uid: "0b5e3b0a-6d1c-4b0e-9a51-2b8f0f3f7c11",
    }],
    managedFields: ["kube-controller-manager", "kubelet"].map((manager) => ({
      ...{ manager, operation: "Update", apiVersion: "v1", time: TIME, fieldsType: "FieldsV1" },
      fieldsV1: managedFields(manager),
    })),
  },
  spec: {
    nodeName: "node-z",
    volumes: [{
      name: "kube-api-access-x7k2p",
      projected: {
        defaultMode: 420,
        sources: [
          { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
          { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
          {
            downwardAPI: {
              items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
            },
          },
        ],
      },
    }],
    containers: ["web", "sidecar"].map((name, n) => ({
      ...{ name, image: `registry.example.com/${name}:1.27.3`, imagePullPolicy: "IfNotPresent" },
      ports: [{ name: `${name}-http`, containerPort: 8080 + n, protocol: "TCP" }, {
        containerPort: 9090 + n,
        protocol: "TCP",
      }],
      env: ["POD_NAME", "POD_NAMESPACE", "POD_IP"].map((name) => ({
        name,
        valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } },
      })),
      resources: { limits: { cpu: "500m", memory: "512Mi" }, requests: { cpu: "50m", memory: "64Mi" } },
      readinessProbe: { httpGet: { path: "/ready", port: 8080, scheme: "HTTP" }, timeoutSeconds: 1, periodSeconds: 10 },
      volumeMounts: [{
        name: "kube-api-access-x7k2p",
        readOnly: true,
        mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
      }],
      ...{ terminationMessagePath: "/dev/termination-log", terminationMessagePolicy: "File" },
    })),
    ...{ restartPolicy: "Always", terminationGracePeriodSeconds: 30, dnsPolicy: "ClusterFirst" },
    ...{
      serviceAccountName: "default",
      serviceAccount: "default",
      securityContext: {},
      schedulerName: "default-scheduler",
    },
    tolerations: ["not-ready", "unreachable"].map((key) => ({
      ...{ key: `node.kubernetes.io/${key}`, operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
    })),
    ...{ priority: 0, enableServiceLinks: true, preemptionPolicy: "PreemptLowerPriority" },
  },
  status: {
    phase: "Running",
    conditions: ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map((
      type,
    ) => ({
      ...{ type, status: "True", lastProbeTime: null, lastTransitionTime: TIME },
    })),
    hostIP: "192.0.2.99",
    startTime: TIME,
    containerStatuses: ["web", "sidecar"].map((name) => ({
      ...{ name, state: { running: { startedAt: TIME } }, lastState: {}, ready: true, restartCount: 0, started: true },
      image: `registry.example.com/${name}:1.27.3`,
      imageID: `registry.example.com/${name}@sha256:6af79ae5de407283dcea8b00d5c37ace95441fd58a8b1d2aa1ed93f5511bb18c`,
      containerID: "containerd://c1c0b7e4b1f0f6c1d7c52a0a3d3d1a0ff1b1df2a7a1e9b9a6cbe0c0e2fb4f5d6",
    })),
    qosClass: "Burstable",
  },
};

function managedFields(manager: string): Record<string, unknown> {
  const keys = ["web", "sidecar"].map((name) => `k:{"name":"${name}"}`);
  const fields = [
    "f:image",
    "f:imagePullPolicy",
    "f:name",
    "f:ports",
    "f:env",
    "f:resources",
    "f:readinessProbe",
    "f:volumeMounts",
  ];
  const leaves = Object.fromEntries(fields.map((field) => [field, {}]));
  const containers = Object.fromEntries(keys.map((key) => [key, { ".": {}, ...leaves }]));
  return manager === "kubelet"
    ? { "f:status": { "f:conditions": containers, "f:hostIP": {}, "f:podIP": {}, "f:podIPs": {}, "f:startTime": {} } }
    : {
      "f:metadata": { "f:labels": {}, "f:ownerReferences": {} },
      "f:spec": { "f:containers": containers, "f:dnsPolicy": {} },
    };
}
