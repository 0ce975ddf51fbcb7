/**
 * What the agent tells `flock inspect` over its socket: everything that it knows, as plain JSON. Answered at any time,
 * also while the node cannot serve; nothing changes by it. Fields are only ever added within one version.
 *
 * Times are ISO 8601, addresses and prefixes canonical text. Texts that somebody else chose (names, errors, policies'
 * problems) are as they were given: whoever prints them escapes them.
 */
export interface AgentSnapshot {
  readonly version: typeof SNAPSHOT_VERSION;
  /** When it was taken. */
  readonly at: string;
  readonly node: string;
  readonly agentVersion: string;
  readonly startedAt: string;
  readonly nodeConfig: NodeConfigSnapshot;
  /** Of the NodeConfig's status, as last decided; empty before the first verdict on one that the API server has told. */
  readonly conditions: readonly ConditionSnapshot[];
  /** Every allocation, pods that are still being added among them. */
  readonly pods: readonly PodSnapshot[];
  /** One for each CIDR in force. */
  readonly pools: readonly PoolSnapshot[];
  /** What BIRD's configuration tells routers; sorted. */
  readonly advertised: readonly string[];
  readonly bird: BirdSnapshot;
  /** Absent while BIRD does not answer, or was not asked yet. */
  readonly sessions?: readonly SessionSnapshot[];
  readonly policy: PolicySnapshot;
  readonly watches: readonly WatchSnapshot[];
  /** Why the disk refused the last update of the state; absent: it took it. */
  readonly stateFailure?: string;
  /** What was not as it should be in the kernel and was put back; the last 50, the oldest first. */
  readonly repairs: readonly Remembered[];
  /** What failed; the last 50, the oldest first. */
  readonly failures: readonly Remembered[];
}

export const SNAPSHOT_VERSION = 1;

/** The verb of the one call that answers it, `{"verb":"SNAPSHOT"}`; no runtime ever sends it. */
export const SNAPSHOT_VERB = "SNAPSHOT";

export interface NodeConfigSnapshot {
  readonly name: string;
  /** Of what was last read from the API server; absent: there is none, or nothing was heard yet. */
  readonly generation?: number;
  /** `Accepted`, `Invalid`, `Deleted`, `Unheard` or `Missing`. */
  readonly reason: string;
  readonly message: string;
  readonly warnings: readonly string[];
  /** What of it could not be put into the node; absent: all of it was. */
  readonly failure?: string;
  /** Why BGP sessions are not as it has them: a password that cannot be read, a change that was undone; absent: they are. */
  readonly bgpProblems?: readonly string[];
  /** Absent: no pod can be served. */
  readonly inForce?: NodeConfigInForce;
}

export interface NodeConfigInForce {
  readonly generation: number;
  readonly cidr6: readonly string[];
  readonly cidr4: readonly string[];
  readonly asn?: number;
  readonly peers: readonly PeerSnapshot[];
}

export interface PeerSnapshot {
  readonly address: string;
  readonly asn: number;
  /** Present: routes of both families travel over its session; absent: those of its address's family. */
  readonly extendedNextHop?: true;
}

export interface ConditionSnapshot {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly since: string;
}

export interface PodSnapshot {
  /** Absent where the runtime named no pod. */
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly containerId: string;
  readonly ifname: string;
  /** The pod's network namespace, a path; empty where nobody remembers it. */
  readonly netns: string;
  readonly netnsId?: string;
  /** Of the CNI configuration. */
  readonly network?: string;
  readonly hostLink: string;
  readonly podMac: string;
  /** Bytes. */
  readonly mtu: number;
  /** Of its interface, the one of each family that it is known by first. */
  readonly addresses: readonly string[];
  readonly state: "pending" | "committed";
  /** When its ADD was recorded. */
  readonly since: string;
  /** Its condition Ready, as the watch knows it; absent: the watch does not know the pod. */
  readonly ready?: boolean;
  /** Whether it is being deleted. */
  readonly terminating?: boolean;
  /** flock's own annotations, without the prefix; absent: the watch does not know the pod. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly anycast: readonly AnycastSnapshot[];
  /** Id of the last request of its container, as plugin, log and Event have it; absent: an agent before this one served it. */
  readonly lastRequestId?: string;
  /** What became of it. */
  readonly lastRequest?: RequestSnapshot;
}

export interface RequestSnapshot {
  /** `ADD`, `DEL` or `CHECK`. */
  readonly verb: string;
  /** When it was answered. */
  readonly at: string;
  /** Milliseconds from its arrival to the answer. */
  readonly ms: number;
  /** Why it was refused; absent: it was not. */
  readonly error?: string;
}

export interface AnycastSnapshot {
  readonly address: string;
  /** Whether a router hears of the address because of this pod. */
  readonly advertised: boolean;
  /** Why not: `pending`, `terminating`, `notReady`, `unknown`, `noUnicast`, `noRoute`, `birdUnreachable`, `birdRefused`, `noPeer`, `noSession`; absent where it is. */
  readonly reason?: string;
}

export interface PoolSnapshot {
  readonly cidr: string;
  readonly family: 4 | 6;
  /** How many addresses there are for pods, in decimal: an IPv6 pool has more than a number holds. */
  readonly usable: string;
  readonly used: number;
  /** Freed a short while ago, and given out again only when nothing else is left. */
  readonly resting: number;
}

export interface BirdSnapshot {
  /** Whether BIRD has the configuration that it should have. */
  readonly applied: boolean;
  /** `refused` or `unreachable`. */
  readonly reason?: string;
  readonly message?: string;
}

export interface SessionSnapshot {
  readonly peer: string;
  /** BIRD's word: Established, Active, Connect, Idle, OpenSent, Down. */
  readonly state: string;
  readonly established: boolean;
  readonly since?: string;
  readonly lastError?: string;
}

export interface PolicySnapshot {
  /** Whether everything that was heard is in the kernel. */
  readonly inForce: boolean;
  /** Why the last pass left the kernel as it was. */
  readonly failure?: string;
  /** Policies that fail closed: they isolate what they select, and allow nothing. */
  readonly problems: readonly PolicyProblemSnapshot[];
  /** How many policies there are in the cluster. */
  readonly policies: number;
  /** Host links of the pods that policies isolate, and in which directions; sorted. */
  readonly isolatedLinks: readonly { readonly link: string; readonly directions: readonly ("ingress" | "egress")[] }[];
}

export interface PolicyProblemSnapshot {
  readonly namespace: string;
  readonly name: string;
  /** `PolicyInvalid` or `PolicyQuarantined`. */
  readonly reason: string;
  readonly message: string;
}

export interface WatchSnapshot {
  /** `pods`, `nodeconfigs`, `networkpolicies`. */
  readonly resource: string;
  /** `node`: only what is bound to this node. */
  readonly scope: "node" | "cluster";
  /** Whether everything has been listed once. */
  readonly synced: boolean;
  /** Seconds since the API server's last sign of life; absent: there was none. */
  readonly ageS?: number;
  /** Why it was last interrupted; absent while it runs. */
  readonly lastError?: string;
}

export interface Remembered {
  readonly at: string;
  readonly what: string;
}
