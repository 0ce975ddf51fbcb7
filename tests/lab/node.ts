/** A node of the lab: its place, with the directories of a real one, BIRD, the agent and containerd. */
import { nodeConfigOf, type NodeSpec } from "./topology.ts";
import type { Place } from "./place.ts";
import type { Daemon } from "./process.ts";
import { quote } from "../../src/fault/invalid_input.ts";
import { AGENT_SOCKET, BIRD, BIRD_CONFIG, BIRD_SOCKET, SYSCTL_DIR } from "../../src/paths/paths.ts";
import { type Containerd, type ContainerdOptions, startContainerd } from "./containerd.ts";
import { type LabPod, type PodSpec, runPod } from "./pods.ts";
import type { KubeObject, LabApi } from "./lab_api.ts";
import { exists, GaveUp, until } from "./until.ts";

const BOOTSTRAP_BIRD_CONF = new URL("../../deploy/bird.conf", import.meta.url);
/** Where the agent finds its way to the API server. */
export const KUBECONFIG = "/etc/flock/kubeconfig";

/** Each node's own, beside the overlays that every place has. */
export const NODE_TMPFS = [
  "/run/flock",
  "/run/netns",
  "/run/containerd",
  "/etc/flock",
  "/etc/cni/net.d",
  "/opt/cni/bin",
  "/var/lib/flock",
  "/var/lib/cni",
  "/var/lib/containerd",
  "/var/log/pods",
];

export interface LabNode extends Place {
  readonly spec: NodeSpec;
  /** Starts BIRD at the default paths, with the bootstrap configuration unless the agent has left one. Resolves when it answers. */
  startBird(options?: { readonly arguments?: readonly string[] }): Promise<Daemon>;
  /** Starts `flock agent`. Resolves when it has its socket, or with `wait` false at once. */
  startAgent(options?: {
    readonly wait?: boolean;
    readonly env?: Readonly<Record<string, string>>;
    /** Words to put before its command line: a program that becomes the agent. */
    readonly through?: readonly string[];
    /** How it finds the API server: default the words that name its kubeconfig; none leave it to the service account. */
    readonly credentials?: readonly string[];
  }): Promise<Daemon>;
  /** Ends the agent, if one was started. Default SIGTERM. */
  stopAgent(signal?: Deno.Signal): Promise<void>;
  /** @returns the reply of BIRD to one command */
  birdc(command: string): Promise<string>;
  /** Starts containerd with the pause image; see `startContainerd`. Ended with the node. */
  startContainerd(options?: Omit<ContainerdOptions, "image">): Promise<Containerd>;
  /** Ends containerd, if it was started; its pods stay. Default SIGTERM. */
  stopContainerd(signal?: Deno.Signal): Promise<void>;
  /**
   * All of a node at once: applies its NodeConfig, starts BIRD, agent and containerd. Resolves when containerd is ready for pods, which
   * is when the agent has placed the conflist.
   */
  serve(options?: { readonly config?: KubeObject; readonly binDir?: string }): Promise<void>;
  /** Runs a pod; see `runPod`. Needs containerd, and an API server in the lab. */
  runPod(pod: PodSpec): Promise<LabPod>;
  /** @returns all that a daemon of this node (`bird`, `agent`, `containerd`) has written so far; empty when it was never started */
  readLog(daemon: string): Promise<string>;
  /** What is needed before anything can be started. Called by the lab. */
  prepare(): Promise<void>;
  /** Gives the node its Node object and the agent its kubeconfig. Called by the lab. */
  join(api: LabApi): Promise<void>;
}

export interface LabNodeOptions {
  readonly spec: NodeSpec;
  readonly labId: string;
  /** The lab's. */
  readonly dir: string;
  /** The executable. */
  readonly flock: string;
  /** @returns the image's archive; called when containerd starts */
  readonly pauseImage: () => Promise<string>;
}

/** @param place with NODE_TMPFS */
export function createLabNode(
  place: Place,
  { spec, labId, dir, flock, pauseImage }: LabNodeOptions,
): LabNode {
  let agent: Daemon | undefined;
  let containerd: Containerd | undefined;
  let api: LabApi | undefined;
  const birdc = (command: string): Promise<string> => place.output(["birdc", "-s", BIRD_SOCKET, ...command.split(" ")]);
  const node: LabNode = {
    ...place,
    spec,
    birdc,
    startBird: async (options = {}) => {
      const bird = await place.spawn("bird", [
        ...[BIRD, "-f", "-c", BIRD_CONFIG, "-s", BIRD_SOCKET, "-P", "/run/flock/bird.pid"],
        ...options.arguments ?? [],
      ]);
      await until(
        "BIRD answers",
        async () => (await place.exec(["birdc", "-s", BIRD_SOCKET, "show", "status"])).code === 0,
      );
      return bird;
    },
    startAgent: async (options = {}) => {
      const { wait = true, env = {}, through = [], credentials = ["--kubeconfig", KUBECONFIG] } = options;
      if (!await exists(flock)) {
        throw new Error(`Cannot start the agent: there is no ${quote(flock)}, run deno task build`);
      }
      await place.output(["ln", "-sf", flock, "/opt/cni/bin/flock"]);
      const argv = [...through, flock, "agent", ...credentials, "--node", spec.name];
      const started = agent = await place.spawn("agent", argv, { env });
      if (wait) {
        await until("the agent listens", () => listens(started, place.outside(AGENT_SOCKET)), { timeoutMs: 20_000 });
      }
      return started;
    },
    stopAgent: async (signal) => void await agent?.stop(signal),
    startContainerd: async (options = {}) => {
      await place.output(["ln", "-sf", "/usr/lib/cni/loopback", "/opt/cni/bin/"]); // Before 2.0 containerd runs it.
      return containerd = await startContainerd(place, { ...options, image: await pauseImage() });
    },
    stopContainerd: async (signal) => void await containerd?.daemon.stop(signal),
    serve: async ({ config = nodeConfigOf(spec), ...options } = {}) => {
      if (api === undefined) throw new Error(`Cannot serve on ${spec.name}: the lab has no API server`);
      const [{ cri }] = await Promise.all([
        node.startContainerd(options),
        node.startBird(),
        api.apply(config).then(() => node.startAgent({ wait: false })),
      ]);
      await until("containerd is ready for pods", async () => (await cri.complaints()).length === 0, {
        timeoutMs: 30_000,
      });
    },
    runPod: async (pod) => {
      if (containerd === undefined || api === undefined) {
        throw new Error(`Cannot run ${pod.name}: no containerd or no API`);
      }
      return await runPod(pod, { node: place, cri: containerd.cri, api, labId });
    },
    readLog: (daemon) => Deno.readTextFile(`${dir}/logs/${spec.name}-${daemon}.log`).catch(() => ""),
    [Symbol.asyncDispose]: async () => {
      containerd?.cri[Symbol.dispose]();
      await place[Symbol.asyncDispose]();
    },
    join: async (joined) => {
      api = joined;
      await api.apply({ apiVersion: "v1", kind: "Node", metadata: { name: spec.name } });
      await api.patch(`/api/v1/nodes/${spec.name}/status`, { status: readyStatus(spec) });
      await place.write(KUBECONFIG, api.kubeconfig(spec.families.includes(4) ? 4 : 6));
    },
    prepare: async () => {
      await place.write(BIRD_CONFIG, await Deno.readTextFile(BOOTSTRAP_BIRD_CONF));
      await place.output(["sh", "-c", `mkdir -p ${SYSCTL_DIR} && mount --bind /proc/sys/net ${SYSCTL_DIR}`]);
    },
  };
  return node;
}

async function listens(agent: Daemon, socket: string): Promise<boolean> {
  if (!agent.running) throw new GaveUp(`Cannot start the agent: it ended; ${await agent.readLog()}`);
  // The socket's file may be that of an agent that was killed.
  const connection = await Deno.connect({ transport: "unix", path: socket }).catch(() => undefined);
  connection?.close();
  return connection !== undefined;
}

/** What kubelet reports of a node before any network plugin. */
function readyStatus({ addresses }: NodeSpec): Record<string, unknown> {
  const now = new Date().toISOString();
  return {
    addresses: Object.values(addresses).map((address) => ({ type: "InternalIP", address })),
    conditions: [{ type: "Ready", status: "True", reason: "Lab", lastHeartbeatTime: now, lastTransitionTime: now }],
  };
}
