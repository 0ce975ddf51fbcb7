/**
 * Nine pods, `a`, `b` and `c` in each of the namespaces `x`, `y` and `z`, spread over the nodes: every pair, every
 * port, every protocol, both families. The way of Kubernetes' own tests (test/e2e/network/netpol), which ask one port
 * and protocol at a time.
 */
import type { Lab } from "../lab/lab.ts";
import type { Mesh } from "../lab/mesh.ts";
import { makeNamespaces, type PolicyPod, runPolicyPod } from "./_policy_pods.ts";
import { expectTruth, pairsOf, type Truth } from "./_truth.ts";

const NAMESPACES = ["x", "y", "z"];
const NAMES = ["a", "b", "c"];
const SERVES = (["tcp", "udp", "sctp"] as const).flatMap((protocol) => [80, 81].map((port) => ({ protocol, port })));

/** What a pod says to itself never leaves it: nobody has to say that it may. */
export type PodTruth = Truth<PolicyPod>;

export interface Reachability {
  /** @param key `namespace/name`. @throws when there is no such pod */
  pod(key: string): PolicyPod;
  /** See `expectTruth`. */
  expect(truth: PodTruth): Promise<void>;
}

/** Runs the nine pods. */
export async function startReachability(lab: Lab, mesh: Mesh): Promise<Reachability> {
  await makeNamespaces(lab, Object.fromEntries(NAMESPACES.map((name) => [name, {}])));
  const specs = NAMESPACES.flatMap((namespace) => NAMES.map((name) => ({ namespace, name, labels: { pod: name } })));
  const pods = await Promise.all(specs.map((spec, index) => {
    const node = lab.nodes[index % lab.nodes.length];
    if (node === undefined) throw new Error("Cannot run pods: the lab has no nodes");
    return runPolicyPod({ lab, mesh }, { ...spec, serves: SERVES, node });
  }));
  const pairs = pairsOf({ from: pods, to: pods, ports: SERVES });
  return {
    pod: (key) => {
      const pod = pods.find((pod) => pod.key === key);
      if (pod === undefined) throw new Error(`Cannot find pod ${key}: there is none`);
      return pod;
    },
    expect: (truth) => expectTruth(mesh, { pairs, truth: (pair) => pair.from === pair.to || truth(pair) }),
  };
}
