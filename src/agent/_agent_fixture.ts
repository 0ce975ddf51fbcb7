/** The agent's operations over a real state file and a kernel in memory. */
import type { Clock } from "../clock/clock.ts";
import { type Address, parsePrefix, type Prefix } from "../ip/address.ts";
import { createIpam } from "../ipam/create_ipam.ts";
import type { KubeClient, KubeEvent, KubeObject, Watched } from "../kube/kube_client.ts";
import { createLogger, type Logger } from "../log/logger.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import type { LeftTombstone } from "../rpc/tombstone.ts";
import { parsePod } from "../pod/parse_pod.ts";
import type { Pod } from "../pod/pod.ts";
import { createDiskFiles } from "../store/disk_files.ts";
import { openStateStore } from "../store/open_state_store.ts";
import type { StateOrigin } from "../store/state.ts";
import type { StateFiles } from "../store/state_files.ts";
import { MemoryGuard } from "../../tests/fakes/memory_guard.ts";
import { MemoryKernel } from "../../tests/fakes/memory_kernel.ts";
import { MemorySources } from "../../tests/fakes/memory_sources.ts";
import { MemoryTextTable } from "../../tests/fakes/memory_text_table.ts";
import { AddOperation } from "./add.ts";
import { AllocationLedger } from "./allocation_ledger.ts";
import { CheckOperation } from "./check.ts";
import { ClaimInquiry } from "./claim_inquiry.ts";
import type { OtherNode } from "./cluster_prefixes.ts";
import { CniService } from "./cni_service.ts";
import { ContainerQueue } from "./container_queue.ts";
import { DelOperation } from "./del.ts";
import { GarbageCollector, PATIENCE } from "./garbage_collector.ts";
import { LateAdds } from "./late_adds.ts";
import { PodEvents } from "./pod_events.ts";
import { PodRequest } from "./pod_request.ts";
import { PodSource } from "./pod_source.ts";
import { PolicyIsolation } from "./policy_isolation.ts";
import { PolicyNamespaces } from "./policy_namespaces.ts";
import { PolicyReconciler } from "./policy_reconciler.ts";
import { recover } from "./recover.ts";
import { LastRequests } from "./last_requests.ts";
import { TombstoneReplay } from "./tombstone_replay.ts";

const silent = createLogger(() => {}, { level: "error", now: () => 0 });
export { silent as logger };

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`Cannot parse ${text}: not a prefix`);
  return parsed;
}

export const CONFIG: NodeConfig = {
  name: "node-a",
  uid: "u1",
  generation: 1,
  createdAt: 0,
  cidr6: [prefix("2001:db8:f001::/64")],
  cidr4: [prefix("203.0.113.0/29")],
  defaults: { ipv6: true, ipv4: true },
  portmap: false,
  logLevel: "info",
};

/** A clock that a test moves; sleeping is left to the test. */
export class TestClock implements Clock {
  now = 1_000_000;
  /** What somebody set the wall clock ahead by. */
  skew = 0;
  monotonic = (): number => this.now;
  wall = (): number => this.now + this.skew;
  sleep = (): Promise<void> => new Promise(() => {});
}

/** An API server with these pods, of which the watch knows some. */
export class TestKube implements KubeClient {
  readonly pods = new Map<string, KubeObject>();
  readonly events: KubeEvent[] = [];
  failure: Error | undefined;
  reads = 0;

  watch<T>(): Watched<T> {
    throw new Error("Cannot watch: the fixture hands its own collections in");
  }
  get(path: string): Promise<KubeObject | undefined> {
    this.reads++;
    return this.failure === undefined ? Promise.resolve(this.pods.get(path)) : Promise.reject(this.failure);
  }
  patchStatus(..._patch: Parameters<KubeClient["patchStatus"]>): Promise<void> {
    return Promise.resolve();
  }
  recordEvent(event: KubeEvent): void {
    this.events.push(event);
  }
  stop(): void {}
}

export interface Fixture extends AsyncDisposable {
  readonly directory: string;
  readonly clock: TestClock;
  readonly kernel: MemoryKernel;
  readonly guard: MemoryGuard;
  /** The cluster's policies: none, unless a test makes some. */
  readonly sources: MemorySources;
  readonly policyTable: MemoryTextTable;
  readonly policies: PolicyReconciler;
  readonly kube: TestKube;
  readonly ledger: AllocationLedger;
  readonly origin: StateOrigin;
  readonly del: DelOperation;
  readonly collector: GarbageCollector;
  readonly lateAdds: LateAdds;
  readonly lastRequests: LastRequests;
  readonly watched: Map<string, Pod>;
  /** Rings as the watch does when `watched` has changed. */
  podsChanged(): void;
  readonly service: CniService;
  config: NodeConfig;
  /** Addresses that other nodes' pods answer. */
  foreign: readonly Address[];
  otherNodes: readonly OtherNode[];
}

export interface FixtureOptions {
  /** State of an earlier life. */
  readonly directory?: string;
  readonly bootId?: string;
  readonly kernel?: MemoryKernel;
  readonly clock?: TestClock;
  readonly sources?: MemorySources;
  readonly policyTable?: MemoryTextTable;
  /** Namespaces that had policies as far as an agent before had heard. */
  readonly remembered?: ReadonlySet<string> | undefined;
  readonly files?: (real: StateFiles) => StateFiles;
  /** Hears what the operations say; default: nobody. */
  readonly logger?: Logger;
}

export async function openFixture(options: FixtureOptions = {}): Promise<Fixture> {
  const { clock = new TestClock(), kernel = new MemoryKernel(), bootId = "boot-1", files = (real) => real } = options;
  const { logger = silent } = options;
  const directory = options.directory ?? await Deno.makeTempDir();
  const guard = new MemoryGuard();
  await guard.replace({ grants: [], podPrefixes: [] });
  const kube = new TestKube();
  const store = await openStateStore({
    path: `${directory}/allocations.json`,
    files: files(createDiskFiles({ owner: Deno.uid() ?? 0 })),
    ...{ clock, logger, bootId, nodeName: "node-a" },
  });
  const ledger = new AllocationLedger(
    store,
    createIpam({ clock, random: (bits) => BigInt(clock.now) & ((1n << BigInt(bits)) - 1n) }),
    clock,
  );
  const watched = new Map<string, Pod>();
  const bells = new Set<(changed: ReadonlySet<string>) => void>();
  const pods: Watched<Pod> = {
    ...{ synced: true, items: watched, lastContact: 0, stop: () => {} },
    onChange: (bell) => {
      bells.add(bell);
      return () => bells.delete(bell);
    },
  };
  const queue = new ContainerQueue();
  const lateAdds = new LateAdds(ledger, clock);
  const { sources = new MemorySources(), policyTable: table = new MemoryTextTable() } = options;
  const policies = new PolicyReconciler({ sources, pods, ledger, table, kube, clock, logger });
  const memory = { load: () => options.remembered, save: () => Promise.resolve() };
  const namespaces = new PolicyNamespaces({ sources, memory, logger });
  const isolation = new PolicyIsolation({ reconciler: policies, namespaces, table, clock });
  const unheard = { addressesChanged: (): void => {}, drifted: (): void => {} };
  const shared = { ledger, driver: kernel, guard, isolation, clock, logger, ...unheard };
  const del = new DelOperation(shared);
  const collector = new GarbageCollector({
    ...{ ledger, driver: kernel, del, queue, clock, logger },
    netnsGone: (of) => kernel.netnsGone(of),
    patience: PATIENCE,
  });
  const events = new PodEvents(kube);
  const lastRequests = new LastRequests();
  const fixture: Fixture = {
    ...{
      directory,
      clock,
      kernel,
      guard,
      kube,
      ledger,
      origin: store.origin,
      del,
      collector,
      lateAdds,
      lastRequests,
      watched,
    },
    ...{ config: CONFIG, foreign: [], otherNodes: [], sources, policyTable: table, policies },
    podsChanged: () => bells.forEach((bell) => bell(new Set(watched.keys()))),
    service: new CniService({
      add: new AddOperation({
        ...shared,
        pods: new PodSource(pods, kube, logger),
        lateAdds,
        events,
        podRequest: new PodRequest({
          ledger,
          inquiry: new ClaimInquiry(kube),
          del,
          queue,
          events,
          logger,
          wall: clock.wall,
        }),
        netnsAt: (path) => kernel.namespaces.at(path),
        terms: () =>
          Promise.resolve({
            ...{ config: fixture.config, mtu: 9000, network: { addresses: [] } },
            ...{ foreign: fixture.foreign, otherNodes: fixture.otherNodes },
          }),
      }),
      ...{ del, collector, queue, lateAdds, events, lastRequests, clock, logger },
      check: new CheckOperation({ ledger, driver: kernel, guard, isolation }),
      assertServing: () => Promise.resolve(),
    }),
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }).catch(() => {}),
  };
  return fixture;
}

/** @param notes what lies in the tombstone directory; a DEL that is done takes its note away */
export function replayOf({ ledger, del, clock }: Fixture, notes: LeftTombstone[]): TombstoneReplay {
  const tombstones = {
    list: () => [...notes],
    remove: (done: LeftTombstone) => void notes.splice(notes.indexOf(done), 1),
  };
  return new TombstoneReplay({ tombstones, ledger, del, queue: new ContainerQueue(), clock, logger: silent });
}

/** The agent's next life: everything in memory is lost, the packet guard's table too, the kernel's links are not. */
export async function restart(
  fixture: Fixture,
  { tombstones = [], prefixes = [], served = [], ...options }: FixtureOptions & {
    tombstones?: LeftTombstone[];
    /** Remembered of the cluster's pods. */
    prefixes?: readonly Prefix[];
    /** Anycast addresses that the kernel leads to every link. */
    served?: readonly Address[];
  } = {},
): Promise<Fixture> {
  const { directory, kernel, clock, config } = fixture;
  const again = await openFixture({ directory, kernel, clock, ...options });
  again.config = config;
  again.guard.grants = undefined;
  const { origin, ledger, guard, del } = again;
  const replay = replayOf(again, tombstones);
  const remembered = { load: () => prefixes };
  const routes = { found: () => Promise.resolve(new Map([...kernel.links.keys()].map((link) => [link, served]))) };
  await recover({
    ...{
      origin,
      ledger,
      driver: kernel,
      guard,
      routes,
      prefixes: remembered,
      del,
      tombstones: replay,
      clock,
      logger: silent,
    },
  });
  return again;
}

/** One request as the plugin sends it; the namespace exists unless said otherwise. */
export function request(
  fixture: Fixture,
  verb: "ADD" | "DEL" | "CHECK" | "GC",
  more: { id?: string; args?: string; startedAt?: number; config?: Record<string, unknown>; netns?: string } = {},
): Record<string, unknown> {
  const { id = "c1", args = "", startedAt = fixture.clock.wall(), config = {}, netns = `/run/netns/${id}` } = more;
  if (verb === "ADD" && more.netns === undefined) fixture.kernel.namespaces.add(netns);
  const environment = verb === "GC"
    ? {}
    : { CNI_CONTAINERID: id, CNI_NETNS: netns, CNI_IFNAME: "eth0", CNI_ARGS: args };
  return { verb, startedAt, environment, config: { cniVersion: "1.1.0", name: "flock", type: "flock", ...config } };
}

/** A raw pod as the API has it. */
export function rawPod(
  name: string,
  more: {
    uid?: string;
    annotations?: Record<string, string>;
    labels?: Record<string, string>;
    static?: string;
  } = {},
): KubeObject {
  const hash = more.static === undefined ? {} : { "kubernetes.io/config.hash": more.static };
  return {
    metadata: {
      namespace: "ns",
      name,
      uid: more.uid ?? "uid-1",
      labels: more.labels,
      annotations: { ...more.annotations, ...hash },
    },
    spec: { containers: [{ name: "c", image: "img" }] },
  };
}

/** Lets the watch know a pod. */
export function know(fixture: Fixture, raw: KubeObject): void {
  const pod = parsePod(raw);
  if (pod !== undefined) fixture.watched.set(`${pod.namespace}/${pod.name}`, pod);
  fixture.podsChanged();
}
