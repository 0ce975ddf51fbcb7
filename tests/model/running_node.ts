import { idlePolicies } from "../fakes/idle_policies.ts";
import { IDLE_ROUTES } from "../fakes/idle_routes.ts";
import { NO_PASSWORDS } from "../fakes/no_passwords.ts";
import { Agent } from "../../src/agent/agent.ts";
import { assembleNode, type NodeParts } from "../../src/agent/assemble_node.ts";
import { PATIENCE } from "../../src/agent/garbage_collector.ts";
import type { NodeConfigReading } from "../../src/agent/resolve_node_config.ts";
import type { Clock } from "../../src/clock/clock.ts";
import { createIpam } from "../../src/ipam/create_ipam.ts";
import type { KubeClient, Watched } from "../../src/kube/kube_client.ts";
import type { Pod } from "../../src/pod/pod.ts";
import { MemoryFiles } from "../../src/store/_memory_files.ts";
import { openStateStore } from "../../src/store/open_state_store.ts";
import { MemoryGuard } from "../fakes/memory_guard.ts";
import { MemoryKernel } from "../fakes/memory_kernel.ts";
import { FlappingBird } from "./flapping_bird.ts";
import { ModelClock } from "./model_clock.ts";
import { NODE } from "./node_configs.ts";
import { SILENT, STATE_PATH } from "./world.ts";

/** What the agent has of the API server. */
export interface ApiAccess {
  readonly kube: KubeClient;
  readonly pods: Watched<Pod>;
}

const NO_PODS: ApiAccess = {
  kube: {
    watch: () => {
      throw new Error("Cannot watch: the test hands its own collections in");
    },
    get: () => Promise.resolve(undefined),
    patchStatus: () => Promise.resolve(),
    recordEvent: () => {},
    stop: () => {},
  },
  pods: { synced: true, items: new Map(), lastContact: 0, onChange: () => () => {}, stop: () => {} },
};

/** An agent that runs by itself, on a clock of the test's; nothing under it waits. */
export interface RunningNode {
  readonly clock: ModelClock;
  readonly bird: FlappingBird;
  readonly kernel: MemoryKernel;
  readonly readings: Map<string, NodeConfigReading>;
  readonly parts: NodeParts;
  readonly stop: AbortController;
  /** Rings as the watch does when `readings` have changed. */
  configChanged(): void;
}

/** Starts one, on an API server that knows no pods unless told otherwise; aborting `stop` ends it. */
export async function startNode(access: (clock: Clock) => ApiAccess = () => NO_PODS): Promise<RunningNode> {
  const [clock, bird, kernel, guard] = [new ModelClock(), new FlappingBird(), new MemoryKernel(), new MemoryGuard()];
  const { kube, pods } = access(clock);
  const readings = new Map<string, NodeConfigReading>();
  const bells = new Set<(changed: ReadonlySet<string>) => void>();
  const nodeConfigs = {
    ...{ synced: true, items: readings, lastContact: 0, stop: () => {} },
    onChange: (bell: (changed: ReadonlySet<string>) => void) => {
      bells.add(bell);
      return () => void bells.delete(bell);
    },
  };
  const files = new MemoryFiles();
  const options = { path: STATE_PATH, files, clock, logger: SILENT, bootId: "boot", nodeName: NODE };
  let agent: Agent | undefined = undefined;
  const parts = assembleNode({
    ...{
      nodeName: NODE,
      driver: kernel,
      guard,
      bird,
      routes: IDLE_ROUTES,
      passwords: NO_PASSWORDS,
      kube,
      nodeConfigs,
      clock,
      logger: SILENT,
    },
    store: await openStateStore(options),
    ipam: createIpam({ clock, random: (bits) => BigInt.asUintN(bits, BigInt(Math.floor(clock.wall() * 7919))) }),
    host: {
      read: () => Promise.resolve({ addresses: [], defaultRoutes: [], mtus: new Map([["up0", 1500]]) }),
      apply: () => Promise.resolve({ changed: [], left: [] }),
    },
    ...{ pods, ...idlePolicies() },
    memory: { load: () => undefined, save: () => Promise.resolve() },
    prefixes: { load: () => [], save: () => Promise.resolve() },
    marker: { isSet: () => true, set: () => {} },
    tombstones: { list: () => [], remove: () => {} },
    netnsAt: (path) => kernel.namespaces.at(path),
    netnsGone: (of) => kernel.netnsGone(of),
    patience: PATIENCE,
    addressesChanged: () => agent?.addressesChanged(),
    drifted: () => agent?.drifted(),
  });
  await parts.recover();
  const stopped = Promise.withResolvers<void>();
  agent = new Agent({
    ...{ ...parts, nodeName: NODE, nodeConfigs, pods, kube, clock, logger: SILENT },
    reporter: { reportNodeConfig: () => Promise.resolve(), reportNode: () => Promise.resolve() },
    repairNews: { look: () => {} },
    outage: { look: () => {} },
    setLogLevel: () => {},
    server: { serve: () => stopped.promise, stop: () => Promise.resolve(stopped.resolve()) },
    placeConflist: () => Promise.resolve(),
    placePages: () => Promise.resolve(),
    announced: () => {},
    watchDrift: () => Promise.resolve(),
    close: () => Promise.resolve(),
  });
  const stop = new AbortController();
  void agent.run(stop.signal);
  const configChanged = (): void => bells.forEach((bell) => bell(new Set(readings.keys())));
  return { clock, bird, kernel, readings, parts, stop, configChanged };
}
