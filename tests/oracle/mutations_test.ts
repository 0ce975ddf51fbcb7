/** Compilers with one thing wrong with them: the oracle finds each in as many packets as it looks at in the gate. */
import { assertEquals } from "@std/assert";
import { compilePolicyTable } from "../../src/policy/testdata/compile_policy_table.ts";
import type { BlockPeer, NetworkPolicy, PodPeer, PolicyRule } from "../../src/policy/network_policy.ts";
import type { ChainRule, IsolatedPod, PolicySet, PolicyTable } from "../../src/policy/policy_table.ts";
import type { PolicyWorld } from "../../src/policy/policy_world.ts";
import { compileRaw, parseWorld } from "./compile_raw.ts";
import { expectAgreement, type Judge } from "./expect_agreement.ts";
import type { RawPod, RawPolicy, RawWorld } from "./raw_objects.ts";
import { passesBaseChain, simulate } from "./simulate.ts";

type JudgeIn = (world: RawWorld) => Judge;

/** The table is another. */
function tables(change: (table: PolicyTable) => PolicyTable): JudgeIn {
  return (world) => {
    const table = change(compileRaw(world));
    return (packet) => simulate(table, packet);
  };
}

const mapValues = <T>(map: ReadonlyMap<string, T>, change: (value: T) => T): Map<string, T> =>
  new Map([...map].map(([key, value]) => [key, change(value)]));

function rules(change: (rule: ChainRule) => ChainRule): JudgeIn {
  return tables((table) => ({
    ...table,
    chains: mapValues(table.chains, (chain) => ({ ...chain, rules: chain.rules.map(change) })),
  }));
}

function sets(change: (set: PolicySet) => Iterable<string>): JudgeIn {
  return tables((table) => ({
    ...table,
    sets: mapValues(table.sets, (set) => ({ ...set, elements: new Set(change(set)) })),
  }));
}

function isolation(change: (pod: IsolatedPod) => IsolatedPod["chains"]): JudgeIn {
  return tables((table) => ({
    ...table,
    pods: mapValues(table.pods, (pod) => ({ ...pod, chains: change(pod) })),
  }));
}

/** What was read is another. */
function worlds(change: (world: PolicyWorld) => PolicyWorld): JudgeIn {
  return (world) => {
    const table = compilePolicyTable(change(parseWorld(world)));
    return (packet) => simulate(table, packet);
  };
}

function policies(change: (policy: NetworkPolicy) => NetworkPolicy): JudgeIn {
  return worlds((world) => ({ ...world, policies: mapValues(world.policies, change) }));
}

function policyRules(change: (rule: PolicyRule) => PolicyRule): JudgeIn {
  return policies((policy) => ({
    ...policy,
    rules: Object.fromEntries(Object.entries(policy.rules).map(([direction, rules]) => [direction, rules.map(change)])),
  }));
}

type Peer = PodPeer | BlockPeer;

function peers(change: (peer: Peer, peers: readonly Peer[]) => Peer): JudgeIn {
  return policyRules((rule) =>
    rule.peers === undefined ? rule : { ...rule, peers: rule.peers.map((peer) => change(peer, rule.peers ?? [])) }
  );
}

/** Objects are read as others. */
function rawPods(change: (pod: RawPod) => RawPod): JudgeIn {
  return (world) => {
    const table = compileRaw({ ...world, pods: world.pods.map(change) });
    return (packet) => simulate(table, packet);
  };
}

function rawPolicies(change: (spec: RawPolicy["spec"]) => RawPolicy["spec"]): JudgeIn {
  return (world) => {
    const changed = world.policies.map((policy) => ({ ...policy, spec: change(policy.spec) }));
    const table = compileRaw({ ...world, policies: changed });
    return (packet) => simulate(table, packet);
  };
}

/** Packets are judged by another kernel. */
function kernels(judge: (table: PolicyTable) => Judge): JudgeIn {
  return (world) => judge(compileRaw(world));
}

function rangeEnds(change: "first" | "last", by: number): JudgeIn {
  return rules(({ peer, port }) => ({
    ...(port && { port }),
    ...(peer && {
      peer: peer.kind === "set"
        ? peer
        : { ...peer, ranges: peer.ranges.map((range) => ({ ...range, [change]: range[change] + BigInt(by) })) },
    }),
  }));
}

function ports(change: (port: NonNullable<ChainRule["port"]>) => ChainRule["port"]): JudgeIn {
  return rules(({ peer, port }) => {
    const changed = port && change(port);
    return { ...(peer && { peer }), ...(changed && { port: changed }) };
  });
}

const withoutLast = <T>(items: Iterable<T>): T[] => [...items].slice(0, -1);
const running = (pod: RawPod): RawPod => ({ ...pod, status: { ...pod.status, phase: "Running" } });

const MUTATIONS: Readonly<Record<string, JudgeIn>> = {
  "a rule is dropped": tables((table) => ({
    ...table,
    chains: mapValues(table.chains, (chain) => ({ ...chain, rules: withoutLast(chain.rules) })),
  })),
  "peers of a rule do not count": rules(({ port }) => (port ? { port } : {})),
  "ports of a rule do not count": ports(() => undefined),
  "rules of ports without peers are forgotten": tables((table) => ({
    ...table,
    chains: mapValues(
      table.chains,
      (chain) => ({ ...chain, rules: chain.rules.filter(({ peer, port }) => peer || !port) }),
    ),
  })),
  "IPv6 is not in the sets": sets(({ type, elements }) => "family" in type && type.family === 6 ? [] : elements),
  "IPv4 is not in the sets": sets(({ type, elements }) => "family" in type && type.family === 4 ? [] : elements),
  "a block of one family is of the other": rules((rule) =>
    rule.peer?.kind !== "ranges" ? rule : { ...rule, peer: { ...rule.peer, family: rule.peer.family === 4 ? 6 : 4 } }
  ),
  "sets lack an element": sets(({ elements }) => withoutLast(elements)),
  "blocks end an address later": rangeEnds("last", 1),
  "blocks end an address earlier": rangeEnds("last", -1),
  "blocks begin an address earlier": rangeEnds("first", -1),
  "ranges of ports end a port later": ports((port) =>
    port.kind === "set" ? port : { ...port, ranges: port.ranges.map(({ first, last }) => ({ first, last: last + 1 })) }
  ),
  "ranges of ports are their first port": ports((port) =>
    port.kind === "set" ? port : { ...port, ranges: port.ranges.map(({ first }) => ({ first, last: first })) }
  ),
  "UDP's ports are TCP's": ports((port) => port.protocol === "udp" ? { ...port, protocol: "tcp" } : port),
  "SCTP's ports are forgotten": ports((port) => port.protocol === "sctp" ? { ...port, protocol: "tcp" } : port),
  "all of one protocol is everything": ports((port) =>
    port.kind === "ranges" && port.ranges.some(({ first }) => first === 0) ? undefined : port
  ),
  "a name is any pod's port": sets(({ type, elements }) =>
    type.kind !== "linkPort"
      ? elements
      : Array.from({ length: 9 }, (_, link) =>
        [...elements].map((element) => element.replace(/"\w+"/, `"flock0000000${link}"`))).flat()
  ),
  "a pod asks one policy too few": isolation(({ chains }) =>
    Object.fromEntries(Object.entries(chains).map(([direction, names]) => [direction, withoutLast(names)]))
  ),
  "egress isolates nobody": isolation(({ chains: { ingress } }) => ({ ...(ingress && { ingress }) })),
  "ingress isolates nobody": isolation(({ chains: { egress } }) => ({ ...(egress && { egress }) })),
  "pods that no rule allows anything are not isolated": isolation(({ chains }) =>
    Object.fromEntries(Object.entries(chains).filter(([, names]) => names.length > 0))
  ),
  "except is not read": peers((peer) => peer.kind === "block" ? { ...peer, except: [] } : peer),
  "except takes from the rule's other blocks": peers((peer, all) =>
    peer.kind === "pods" ? peer : { ...peer, except: all.flatMap((each) => each.kind === "block" ? each.except : []) }
  ),
  "no namespaceSelector is every namespace": peers((peer) =>
    peer.kind === "pods" ? { ...peer, namespaces: peer.namespaces ?? [] } : peer
  ),
  "an empty namespaceSelector is none": peers((peer) =>
    peer.kind === "pods" && peer.namespaces?.length === 0 ? { kind: "pods", pods: peer.pods } : peer
  ),
  "selectors of one peer are two peers": policyRules((rule) => ({
    ...rule,
    ...(rule.peers && {
      peers: rule.peers.flatMap((peer): Peer[] =>
        peer.kind === "pods" && peer.namespaces !== undefined
          ? [{ ...peer, pods: [] }, { kind: "pods", pods: peer.pods }]
          : [peer]
      ),
    }),
  })),
  "NotIn asks for the label": peers((peer) =>
    peer.kind === "block" ? peer : {
      ...peer,
      pods: peer.pods.flatMap((each) =>
        each.operator === "NotIn" ? [each, { key: each.key, operator: "Exists", values: [] }] : [each]
      ),
    }
  ),
  "what cannot be read is left out": worlds((world) => ({
    ...world,
    policies: new Map([...world.policies].filter(([, { defect }]) => defect === undefined)),
  })),
  "pods that nobody knows have no labels": worlds((world) => ({
    ...world,
    targets: mapValues(world.targets, (target) => ({ labels: new Map(), ...target })),
  })),
  "labels of namespaces are not known": worlds((world) => ({ ...world, namespaces: new Map() })),
  "pods of other nodes are no peers": (world) => {
    const parsed = parseWorld(world);
    const here = new Set(world.local.map(({ namespace, name }) => `${namespace}/${name}`));
    const table = compilePolicyTable({ ...parsed, pods: new Map([...parsed.pods].filter(([key]) => here.has(key))) });
    return (packet) => simulate(table, packet);
  },
  "egress is always implied": rawPolicies((spec) => ({
    ...spec,
    policyTypes: spec.policyTypes?.length ? spec.policyTypes : ["Ingress", "Egress"],
  })),
  "egress is never implied": rawPolicies((spec) => ({
    ...spec,
    policyTypes: spec.policyTypes?.length ? spec.policyTypes : ["Ingress"],
  })),
  "finished pods are peers": rawPods(running),
  "pods of the host's network are peers": rawPods((pod) => ({ ...pod, spec: { ...pod.spec, hostNetwork: false } })),
  "anycast addresses are no peers": rawPods((pod) => ({ ...pod, metadata: { ...pod.metadata, annotations: {} } })),
  "ports of sidecars do not count": rawPods((pod) => ({ ...pod, spec: { ...pod.spec, initContainers: [] } })),
  "ports of init containers count": rawPods((pod) => ({
    ...pod,
    spec: { ...pod.spec, containers: [...pod.spec.containers, ...pod.spec.initContainers ?? []] },
  })),
  "only the first container's ports count": rawPods((pod) => ({
    ...pod,
    spec: { ...pod.spec, containers: pod.spec.containers.slice(0, 1) },
  })),
  "what egress accepts, ingress is not asked about": kernels((table) => (packet) =>
    table.pods.get(packet.cameBy)?.chains.egress !== undefined
      ? passesBaseChain("egress", { table, packet })
      : simulate(table, packet)
  ),
  "the node itself is judged": kernels((table) => (packet) =>
    passesBaseChain("egress", { table, packet }) && passesBaseChain("ingress", { table, packet })
  ),
  "what is no connection's passes": kernels((table) => (packet) =>
    packet.state === "invalid" || simulate(table, packet)
  ),
  "replies are judged": kernels((table) => (packet) => simulate(table, { ...packet, state: "new" })),
};

function isFound(judgeIn: JudgeIn): boolean {
  try {
    expectAgreement(judgeIn, { worlds: 1500, packetsOfEach: 40, seed: 1, isShrunk: false });
    return false;
  } catch {
    return true;
  }
}

Deno.test("the oracle finds every fault that is planted in compiler, parsers or kernel", () => {
  assertEquals(Object.entries(MUTATIONS).filter(([, judgeIn]) => !isFound(judgeIn)).map(([name]) => name), []);
});
