/**
 * Who reaches whom among nine pods, `a`, `b` and `c` in each of the namespaces `x`, `y` and `z`, spread over the nodes: every pair, every
 * port, every protocol, both families, compared with a truth table. The way of Kubernetes' own tests (test/e2e/network/netpol), which
 * ask one port and protocol at a time.
 */
import type { Family } from "../../src/ip/address.ts";
import type { Lab } from "../lab/lab.ts";
import type { Flow, Mesh } from "../lab/mesh.ts";
import type { SocketProtocol } from "../lab/sockets.ts";
import { until } from "../lab/until.ts";
import { makeNamespaces, type PolicyPod, runPolicyPod } from "./_policy_pods.ts";

export const NAMESPACES = ["x", "y", "z"] as const;
const NAMES = ["a", "b", "c"];
const PROTOCOLS = ["tcp", "udp", "sctp"] as const;
const PORTS = [80, 81];

/** One entry of the matrix. */
export interface Pair {
  readonly from: PolicyPod;
  readonly to: PolicyPod;
  readonly protocol: SocketProtocol;
  readonly port: number;
  readonly family: Family;
}

/** A truth table: whether a pair may talk. What a pod says to itself never leaves it, and is not asked. */
export type Truth = (pair: Pair) => boolean;

export interface Reachability {
  /** `namespace/name` -> pod */
  readonly pods: ReadonlyMap<string, PolicyPod>;
  /** @throws when there is no such pod */
  pod(key: string): PolicyPod;
  /** Waits until the network is as the table says, in every entry of one look. @throws with what differs, after `timeoutMs` (default 20 000) */
  expect(truth: Truth, options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** Runs the nine pods. */
export async function startReachability(lab: Lab, mesh: Mesh): Promise<Reachability> {
  await makeNamespaces(lab, Object.fromEntries(NAMESPACES.map((name) => [name, {}])));
  const serves = PROTOCOLS.flatMap((protocol) => PORTS.map((port) => ({ protocol, port })));
  const keys = NAMESPACES.flatMap((namespace) => NAMES.map((name) => ({ namespace, name, labels: { pod: name } })));
  const running = keys.map((spec, index) => {
    const node = lab.nodes[index % lab.nodes.length];
    if (node === undefined) throw new Error("Cannot run pods: the lab has no nodes");
    return runPolicyPod({ lab, mesh }, { ...spec, serves, node });
  });
  const pods = new Map((await Promise.all(running)).map((pod) => [pod.key, pod]));
  const pairs = [...pods.values()].flatMap((from) => [...pods.values()].flatMap((to) => pairsOf(from, to)));
  return {
    pods,
    pod: (key) => {
      const pod = pods.get(key);
      if (pod === undefined) throw new Error(`Cannot find pod ${key}`);
      return pod;
    },
    expect: async (truth, { timeoutMs = 20_000 } = {}) => {
      await until("everybody reaches whom the truth table says", async () => {
        const answers = await mesh.probe(pairs.map(flowOf));
        const wrong = pairs.flatMap((pair, index) => {
          const answer = answers[index];
          if ((answer !== undefined) !== (pair.from === pair.to || truth(pair))) return [describe(pair)];
          const isItself = answer?.by === pair.to.key && answer.source === pair.from.address(pair.family);
          return answer === undefined || isItself ? [] : [`${describe(pair)} by ${JSON.stringify(answer)}`];
        });
        if (wrong.length === 0) return true;
        throw new Error(`${wrong.length} of ${pairs.length} are not as they should: ${wrong.slice(0, 8).join("; ")}`);
      }, { timeoutMs, everyMs: 1 });
    },
  };
}

function pairsOf(from: PolicyPod, to: PolicyPod): Pair[] {
  return PROTOCOLS.flatMap((protocol) =>
    PORTS.flatMap((port) => ([4, 6] as const).map((family) => ({ from, to, protocol, port, family })))
  );
}

function flowOf({ from, to, protocol, port, family }: Pair): Flow {
  return { netns: from.netns, source: from.address(family), protocol, to: to.address(family), port };
}

function describe({ from, to, protocol, port, family }: Pair): string {
  return `${from.key} -> ${to.key} ${protocol} ${port} IPv${family}`;
}
