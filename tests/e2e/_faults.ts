/**
 * What goes wrong on a node, and who says so: `flock inspect` on its first screen, a condition of the NodeConfig, a
 * metric, an Event. The README has the same as a table (tests/gate/faults_test.ts).
 */
import { record } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import type { LabNode } from "../lab/node.ts";
import { nodeConfigOf, nodeSpec, ROUTER, ROUTER_ASN } from "../lab/topology.ts";
import { pause, until } from "../lab/until.ts";
import { configOf, configPath, createPod } from "./_cluster.ts";
import { scrape } from "./_pages.ts";
import { holds } from "./_promql.ts";
import { setPolicy } from "./_policy_pods.ts";
import { addSandbox, createSandbox, type Sandbox } from "./_sandbox.ts";

/** Of the pod `x/server`: anycast. */
export const ANYCAST = "198.51.100.53";
const PEER = "peer4_c0000201";
/** It has one address for pods. */
const TINY = "203.0.113.64/30";
/** An outage of five seconds is worth an Event, and is looked for every two. */
const OUTAGE_MS = 9_000;
const CONFIGS = "/apis/flock.fritzlab.net/v1alpha1/nodeconfigs";

export interface Scene {
  readonly lab: Lab;
  readonly node: LabNode;
  readonly server: Sandbox;
  readonly client: Sandbox;
  /** Pods that a fault made, and its end takes away. */
  readonly kept: Sandbox[];
}

export interface Fault {
  /** What happened, as the README tells it. */
  readonly what: string;
  inject(scene: Scene): Promise<unknown>;
  /** Words behind `flock inspect`; `CLIENT` and `SERVER` stand for addresses. Default: none. */
  readonly command?: string;
  /** What stands on its first screen. */
  readonly screen: string;
  /** `Type=Status, reason` of the NodeConfig; absent: nothing there says so. */
  readonly condition?: string;
  /** What the metrics say while it lasts, see `holds`. */
  readonly metric?: string;
  /** Of deploy/monitoring/alerts.yaml, that fires when it lasts. */
  readonly alert?: string;
  /** `Kind: reason`; absent: others tell of it, kubelet of a pod that is not Ready. */
  readonly event?: string;
  /** Whether the Event comes only when the fault is over. */
  readonly eventLater?: boolean;
  /** Puts it right; absent: flock has, or the next fault goes on from here. */
  end?(scene: Scene): Promise<unknown>;
}

export const FAULTS: readonly Fault[] = [
  {
    what: "a BGP session goes down",
    inject: ({ node }) => node.birdc(`disable ${PEER}`),
    screen: `BGP session ${ROUTER[4]}: should be Established`,
    condition: "BGPEstablished=False, SessionsDown",
    metric: "flock_bgp_session_established == 0",
    alert: "FlockBgpSessionDown",
    event: "NodeConfig: BGPSessionLost",
    end: ({ node }) => node.birdc(`enable ${PEER}`),
  },
  {
    what: "the NodeConfig has the router's AS number wrong",
    inject: (scene) =>
      configure(scene, {
        bgp: { asn: 65101, peers: [{ address: ROUTER[4], asn: ROUTER_ASN }, { address: ROUTER[6], asn: 65099 }] },
      }),
    screen: "Bad peer AS",
    condition: "BGPEstablished=False, SessionsDown",
    metric: `flock_bgp_session_established{peer="${ROUTER[6]}"} == 0`,
    alert: "FlockBgpSessionDown",
    event: "NodeConfig: BGPSessionLost",
    end: configure,
  },
  {
    what: "BIRD is dead",
    inject: async ({ node }) => node.output(["kill", "-KILL", (await node.read("/run/flock/bird.pid")).trim()]),
    screen: "BIRD: should answer",
    condition: "BGPEstablished=False, BirdUnreachable",
    metric: "flock_bird_up == 0",
    alert: "FlockBirdDown",
    event: "NodeConfig: BirdUnreachable",
    end: ({ node }) => node.startBird(),
  },
  {
    what: "the address pool is full",
    inject: async (scene) => {
      await configure(scene, { cidr4: [TINY] });
      await until("the small pool is in force", async () => {
        const samples = { before: new Map(), now: await scrape(scene.node) };
        return holds(`flock_pool_addresses{cidr="${TINY}"} == 1`, samples);
      });
      scene.kept.push(await addPod(scene, "first"));
      await refusePod(scene, "second");
    },
    screen: `pool ${TINY}: should have free addresses`,
    condition: "PoolsHealthy=False, Exhausted",
    metric: `flock_pool_addresses_used{cidr="${TINY}"} == 1`,
    alert: "FlockPoolFull",
    event: "Pod: AddressPoolExhausted",
    end: async (scene) => {
      await configure(scene);
      await scene.kept.pop()?.remove();
    },
  },
  {
    what: "an annotation breaks a rule: the ADD is refused",
    inject: (scene) => refusePod(scene, "odd", { ipv6: "maybe" }),
    screen: 'annotation flock.fritzlab.net/ipv6 "maybe": must be true or false',
    metric: 'increase(flock_cni_operation_errors_total{verb="ADD"}[5m]) > 0',
    alert: "FlockAddsFail",
    event: "Pod: InvalidAnnotation",
  },
  {
    what: "a pod claims another one's address: the ADD is refused",
    inject: (scene) => refusePod(scene, "thief", { addresses: scene.server.address(4) }),
    screen: "must not be an address that pod x/server has",
    metric: 'increase(flock_cni_operation_errors_total{verb="ADD"}[5m]) > 0',
    alert: "FlockAddsFail",
    event: "Pod: InvalidAnnotation",
  },
  {
    what: "the disk refuses the state",
    inject: async (scene) => {
      await scene.node.output(["mount", "-o", "remount,ro", "/var/lib/flock"]);
      await refusePod(scene, "lost");
    },
    screen: "state: should be on the disk, but it is not",
    metric: "flock_state_durable == 0",
    alert: "FlockStateNotDurable",
    event: "Pod: StateNotWritten",
    end: async (scene) => {
      await scene.node.output(["mount", "-o", "remount,rw", "/var/lib/flock"]);
      await (await addPod(scene, "found")).remove();
    },
  },
  {
    what: "a NodeConfig breaks a rule",
    inject: (scene) => configure(scene, { cidr4: ["192.0.2.0/24"] }),
    screen: "NodeConfig node-a: should be in force as it is written, but Invalid",
    condition: "Ready=False, Invalid",
    metric: "flock_nodeconfig_accepted == 0",
    alert: "FlockNodeConfigRejected",
    event: "NodeConfig: InvalidNodeConfig",
    end: configure,
  },
  {
    what: "the NodeConfig is deleted",
    inject: ({ lab, node }) => lab.api.delete(configPath(node)),
    screen: "NodeConfig node-a: should be in force as it is written, but Deleted",
    metric: "flock_nodeconfig_accepted == 0",
    alert: "FlockNodeConfigRejected",
    event: "NodeConfig: NodeConfigDeleted",
    end: configure,
  },
  {
    what: "two nodes have the same AS number",
    inject: ({ lab, node }) => {
      const other = nodeConfigOf(nodeSpec(1));
      const bgp = record(record(nodeConfigOf(node.spec)["spec"])["bgp"]);
      return lab.api.apply({ ...other, spec: { ...record(other["spec"]), bgp } });
    },
    screen: "spec.bgp.asn 65101 is also that of NodeConfig node-b",
    metric: "flock_nodeconfig_warnings == 1",
    alert: "FlockNodeConfigWarning",
    event: "NodeConfig: NodeConfigWarning",
    end: ({ lab }) => lab.api.delete(`${CONFIGS}/node-b`),
  },
  {
    what: "the pod of an anycast address is not Ready",
    inject: (scene) => setReady(scene, false),
    screen:
      `anycast ${ANYCAST}: should be advertised while a pod of this node is Ready, but it is not: x/server notReady`,
    metric: 'flock_anycast_addresses{state="withdrawn"} == 1',
    alert: "FlockAnycastWithdrawn",
    end: (scene) => setReady(scene, true),
  },
  {
    what: "a policy denies what a client or a probe sends",
    inject: async ({ lab, client, server }) => {
      await setPolicy(lab, "x/closed", { podSelector: { matchLabels: { app: "server" } }, policyTypes: ["Ingress"] });
      await client.exec(["ping", "-c", "12", "-i", "0.05", "-W", "1", server.address(4)]);
    },
    command: "allowed CLIENT SERVER:icmp",
    screen: "denied: isolated for ingress by x/closed (allows nothing), which does not allow it",
    metric: 'increase(flock_dropped_packets_total{reason="policy_ingress"}[5m]) > 0',
    alert: "FlockPolicyDrops",
    end: ({ lab }) => setPolicy(lab, "x/closed", null),
  },
  {
    what: "a policy cannot be compiled",
    inject: ({ lab }) =>
      setPolicy(lab, "x/odd", { podSelector: { matchExpressions: [{ key: "app", operator: "Is", values: ["x"] }] } }),
    screen: "NetworkPolicy x/odd: should be in force as it is written",
    condition: "PolicyInSync=False, SomeFailClosed",
    metric: 'flock_policy_problems{reason="PolicyInvalid"} == 1',
    alert: "FlockPolicyFailsClosed",
    event: "NetworkPolicy: PolicyInvalid",
    end: ({ lab }) => setPolicy(lab, "x/odd", null),
  },
  {
    what: "a pod's route is removed by hand",
    inject: ({ node, server }) => node.output(["ip", "route", "delete", server.address(4), "proto", "70"]),
    screen: "host route",
    metric: 'increase(flock_repairs_total{part="links"}[5m]) > 0',
    alert: "FlockRepairs",
    event: "NodeConfig: Repaired",
  },
  {
    what: "a pod's link is removed by hand",
    inject: ({ node, client }) => node.output(["ip", "link", "delete", client.hostLink]),
    screen: "host link",
    metric: 'increase(flock_repairs_total{part="links"}[5m]) > 0',
    alert: "FlockRepairs",
    event: "NodeConfig: Repaired",
  },
  {
    what: "the blackhole of a node CIDR is removed by hand",
    inject: ({ node }) => node.output(["ip", "route", "delete", "blackhole", node.spec.cidr4, "proto", "70"]),
    screen: "route add blackhole 203.0.113.0/26",
    metric: 'increase(flock_repairs_total{part="node"}[5m]) > 0',
    alert: "FlockRepairs",
    event: "NodeConfig: Repaired",
  },
  {
    what: "the route to an anycast address is removed by hand",
    inject: ({ node }) => node.output(["ip", "route", "delete", ANYCAST, "proto", "70"]),
    screen: `route to ${ANYCAST} is missing or altered`,
    metric: 'increase(flock_repairs_total{part="routes"}[5m]) > 0',
    alert: "FlockRepairs",
    event: "NodeConfig: Repaired",
  },
  {
    what: "forwarding is switched off",
    inject: ({ node }) => node.output(["sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward"]),
    screen: "sysctl ipv4/ip_forward = 1",
    metric: 'increase(flock_repairs_total{part="node"}[5m]) > 0',
    alert: "FlockRepairs",
    event: "NodeConfig: Repaired",
  },
  {
    what: "the table of the source check is deleted",
    inject: ({ node }) => node.output(["nft", "delete", "table", "inet", "flock"]),
    screen: "table inet flock or table arp flock is gone",
    metric: 'increase(flock_repairs_total{part="guard"}[5m]) > 0',
    alert: "FlockRepairs",
    event: "NodeConfig: Repaired",
  },
  {
    what: "the table of the policies is deleted",
    inject: ({ node }) => node.output(["nft", "delete", "table", "inet", "flock-policy"]),
    screen: "the table of the policies, which others changed",
    metric: 'increase(flock_repairs_total{part="policies"}[5m]) > 0',
    alert: "FlockRepairs",
    event: "NodeConfig: Repaired",
  },
  {
    what: "the API server does not answer",
    inject: async ({ lab }) => {
      await lab.api.faults.refuse();
      await pause(OUTAGE_MS);
    },
    screen: "API server",
    metric: "flock_api_watch_up == 0",
    alert: "FlockApiUnheard",
    event: "NodeConfig: APIServerUnreachable",
    eventLater: true,
    end: ({ lab }) => lab.api.faults.recover(),
  },
  {
    what: "the agent is dead",
    inject: ({ node }) => node.stopAgent("SIGKILL"),
    screen: "agent: should answer, but it does not",
    metric: "up == 0",
    alert: "FlockAgentDown",
  },
  {
    what: "a pod's link is removed while the agent is dead",
    inject: ({ node, client }) => node.output(["ip", "link", "delete", client.hostLink]),
    screen: "pod x/client: should be as its ADD made it",
    metric: "up == 0",
    alert: "FlockAgentDown",
  },
  {
    what: "the table of the policies is deleted while the agent is dead",
    inject: ({ node }) => node.output(["nft", "delete", "table", "inet", "flock-policy"]),
    screen: "nft table inet flock-policy: should hold the NetworkPolicies, but it is missing",
    metric: "up == 0",
    alert: "FlockAgentDown",
    end: ({ node }) => node.startAgent(),
  },
];

/** The README's table of faults: what happened, and who says what of it. */
export const FAULT_COLUMNS = ["what happened", "`flock inspect`", "condition", "alert", "Event"] as const;

/** @returns the fault's row, cell by cell */
export function cellsOf({ what, command, screen, condition, alert, event, eventLater }: Fault): string[] {
  const code = (text: string | undefined): string => text === undefined ? "" : `\`${text}\``;
  const said = command === undefined ? code(screen) : `${code(command)}: ${code(screen)}`;
  return [what, said, code(condition), code(alert), `${code(event)}${eventLater === true ? ", afterwards" : ""}`];
}

/** @param spec fields in place of those of the ordinary one */
async function configure({ lab, node }: Scene, spec: KubeObject = {}): Promise<void> {
  await lab.api.apply(configOf(node, spec));
}

async function setReady({ lab }: Scene, ready: boolean): Promise<void> {
  const condition = { type: "Ready", status: ready ? "True" : "False", lastTransitionTime: new Date().toISOString() };
  await lab.api.patch("/api/v1/namespaces/x/pods/server/status", { status: { conditions: [condition] } });
}

async function addPod({ lab, node }: Scene, name: string): Promise<Sandbox> {
  const uid = await createPod(lab, { name, annotations: {}, nodeName: node.name });
  return await addSandbox(node, { pod: { name, uid } });
}

/** @param annotations flock's, without the prefix. @throws when its ADD is not refused */
async function refusePod(
  { lab, node }: Scene,
  name: string,
  annotations: Readonly<Record<string, string>> = {},
): Promise<void> {
  const keys = Object.entries(annotations).map(([key, value]) => [`flock.fritzlab.net/${key}`, value]);
  const uid = await createPod(lab, { name, annotations: Object.fromEntries(keys), nodeName: node.name });
  const sandbox = await createSandbox(node);
  const { exit } = await sandbox.call("ADD", { pod: { name, uid } });
  await sandbox.remove();
  if (exit === 0) throw new Error(`Cannot see the ADD of ${name} refused: it was done`);
}
