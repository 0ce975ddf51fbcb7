/** The network in which NetworkPolicy is measured: a node with flock and full of pods, in a cluster of ten thousand, and a node whose tables are made by hand. */
import { configOf } from "../e2e/_cluster.ts";
import { addSandbox, type Sandbox } from "../e2e/_sandbox.ts";
import { record } from "../lab/json.ts";
import { createLab, type Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { podObject } from "../lab/pods.ts";
import { crowdPods, labelsOfLocal, LOCAL_PODS, NAMESPACE, teamNamespaces } from "./policy_world.ts";

/** Room for the pods. */
const CIDR4 = "198.18.4.0/22";
const AT_ONCE = 10;
export const CROWD = 10_000;

/** A pod of the node. */
export interface LocalPod {
  readonly name: string;
  readonly sandbox: Sandbox;
}

export interface PolicyLab extends AsyncDisposable {
  readonly lab: Lab;
  /** With flock. */
  readonly node: LabNode;
  /** Without. */
  readonly byHand: LabNode;
  readonly locals: readonly LocalPod[];
}

/** @param flock the executable. @returns with all pods in place, and no policy yet */
export async function createPolicyLab(flock: string): Promise<PolicyLab> {
  const lab = await createLab({ api: "embedded", flock });
  try {
    const [node, byHand] = lab.nodes;
    if (node === undefined || byHand === undefined) {
      throw new Error("Cannot measure policies: the lab has too few nodes");
    }
    await lab.api.fill(teamNamespaces());
    await lab.api.fill(crowdPods(Array.from({ length: CROWD }, (_, index) => ({ index }))));
    await Promise.all([lab.api.apply(configOf(node, { cidr4: [CIDR4] })), node.startBird(), node.startAgent()]);
    const locals: LocalPod[] = [];
    for (let first = 0; first < LOCAL_PODS; first += AT_ONCE) {
      const indices = Array.from({ length: Math.min(AT_ONCE, LOCAL_PODS - first) }, (_, n) => first + n);
      locals.push(
        ...await Promise.all(indices.map((index) => runPod({ lab, node }, `local-${index}`, labelsOfLocal(index)))),
      );
    }
    return { lab, node, byHand, locals, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
  } catch (error) {
    const log = await lab.node("node-a").readLog("agent");
    await lab[Symbol.asyncDispose]();
    throw new Error(`Cannot measure policies: ${error}; the agent wrote ${log.slice(-2_000)}`, { cause: error });
  }
}

/** Creates the Pod and its sandbox, and reports it Running, as kubelet does. */
async function runPod(
  { lab, node }: { readonly lab: Lab; readonly node: LabNode },
  name: string,
  labels: Record<string, string>,
): Promise<LocalPod> {
  const { metadata, ...object } = podObject({ name, namespace: NAMESPACE, annotations: {}, nodeName: node.name });
  const created = await lab.api.apply({ ...object, metadata: { ...record(metadata), labels } });
  const sandbox = await addSandbox(node, { pod: { name, uid: String(record(created["metadata"])["uid"]) } });
  const podIPs = sandbox.addresses.map((ip) => ({ ip }));
  const status = { phase: "Running", podIP: sandbox.addresses[0], podIPs };
  await lab.api.patch(`/api/v1/namespaces/${NAMESPACE}/pods/${name}/status`, { status });
  return { name, sandbox };
}
