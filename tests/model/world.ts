import { IDLE_ROUTES } from "../fakes/idle_routes.ts";
import { assembleNode, type NodeDependencies, type NodeParts } from "../../src/agent/assemble_node.ts";
import { ReconcileLoop } from "../../src/agent/reconcile_loop.ts";
import type { NodeConfigReading } from "../../src/agent/resolve_node_config.ts";
import type { BirdOutcome } from "../../src/bird/bird_driver.ts";
import type { HostNetwork } from "../../src/host/host_driver.ts";
import { createIpam } from "../../src/ipam/create_ipam.ts";
import type { Ipam } from "../../src/ipam/ipam.ts";
import { type KubeClient, KubeError, type KubeObject, type Watched } from "../../src/kube/kube_client.ts";
import type { AttachmentDriver } from "../../src/link/attachment_driver.ts";
import type { Logger } from "../../src/log/logger.ts";
import type { PacketGuard } from "../../src/nft/packet_guard.ts";
import type { NodeConfig } from "../../src/nodeconfig/node_config.ts";
import type { LeftTombstone } from "../../src/rpc/tombstone.ts";
import { openStateStore } from "../../src/store/open_state_store.ts";
import type { StateStore } from "../../src/store/state.ts";
import type { StateFiles } from "../../src/store/state_files.ts";
import { Gates } from "./gates.ts";
import { ModelClock } from "./model_clock.ts";
import { NODE, READINGS } from "./node_configs.ts";
import { VolatileDisk } from "./volatile_disk.ts";

export const STATE_PATH = "/var/lib/flock/allocations.json";
export const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** What stands under the agents: a kernel, in memory or the machine's. */
export interface Ground {
  /** Makes the drivers of an agent that starts; whatever they do waits at its gates. */
  open(gates: Gates): GroundDrivers;
  addNamespace(path: string): Promise<void>;
  /** The namespace goes, and every link into it. */
  removeNamespace(path: string): Promise<void>;
  readonly netnsAt: NodeDependencies["netnsAt"];
  readonly netnsGone: NodeDependencies["netnsGone"];
  /** All is gone, as after a reboot. */
  reboot(): Promise<void>;
}

export interface GroundDrivers {
  readonly driver: AttachmentDriver;
  readonly guard: PacketGuard;
  /** Ends what the agent's death would end. */
  close(): Promise<void>;
}

/** What a test may put in place of a part, to see that the model notices. */
export interface Parts {
  readonly files: (files: StateFiles) => StateFiles;
  readonly store: (store: StateStore) => StateStore;
  readonly ipam: (ipam: Ipam) => Ipam;
  readonly node: (node: NodeParts, world: GroundDrivers & { readonly clock: ModelClock }) => NodeParts;
}

const SOUND: Parts = { files: (files) => files, store: (store) => store, ipam: (ipam) => ipam, node: (node) => node };
const NETWORK: HostNetwork = { addresses: [], defaultRoutes: [], mtus: new Map([["up0", 1500]]) };

/** One life of the agent: from its start to its death. */
export interface Life {
  readonly gates: Gates;
  readonly drivers: GroundDrivers;
  /** Set once the state has been read. */
  node?: NodeParts;
  ipam?: Ipam;
  store?: StateStore;
  loops?: { readonly node: ReconcileLoop; readonly collect: ReconcileLoop };
  /** Whether its socket is open. */
  listening: boolean;
  /** Whether it takes what arrives there. */
  serving: boolean;
  /** Why it could not start. */
  failure?: unknown;
}

/** All that outlives an agent: kernel, disk, API server, clock; and the agent that lives at present. */
export class World {
  readonly clock = new ModelClock();
  readonly disk: VolatileDisk;
  readonly tombstones = new Map<string, LeftTombstone>();
  readonly #readings = new Map<string, NodeConfigReading>();
  readonly #pods = new Map<string, KubeObject>();
  #remembered: NodeConfig | undefined;
  #boots = 1;
  #random: bigint;
  /** The text that BIRD runs with. */
  birdText = "";
  life: Life | undefined;

  constructor(readonly ground: Ground, options: { seed: number; parts?: Partial<Parts>; writeFailed(): void }) {
    this.disk = new VolatileDisk(options.writeFailed);
    this.#random = BigInt(options.seed);
    this.parts = { ...SOUND, ...options.parts };
  }

  readonly parts: Parts;

  get bootId(): string {
    return `boot-${this.#boots}`;
  }

  /** Starts an agent, as composeAgent does: recover, then listen, then the first pass. */
  start(): void {
    this.disk.writeBack();
    const gates = new Gates();
    const life: Life = { gates, drivers: this.ground.open(gates), listening: false, serving: false };
    this.life = life;
    this.#boot(life).catch((error) => life.failure = error);
  }

  /** The agent dies. @param happened which of the things that it was about to do happen all the same */
  async kill(happened: number): Promise<void> {
    const { life } = this;
    this.life = undefined;
    if (life === undefined) return;
    life.listening = life.serving = false;
    life.gates.close(happened);
    this.clock.forgetSleepers();
    await life.drivers.close();
  }

  async reboot(options: { kept: boolean }): Promise<void> {
    await this.kill(0);
    await this.ground.reboot();
    this.disk.cutPower(options.kept);
    this.tombstones.clear();
    this.#boots++;
  }

  /** Somebody writes, or deletes, the NodeConfig. */
  configure(which: number): void {
    const reading = READINGS[which];
    if (reading === undefined) this.#readings.delete(NODE);
    else this.#readings.set(NODE, reading);
    this.life?.loops?.node.ring("nodeConfigs");
  }

  createPod(name: string, annotations: Readonly<Record<string, string>>): void {
    const metadata = { namespace: "ns", name, uid: `uid-${name}`, annotations };
    this.#pods.set(`/api/v1/namespaces/ns/pods/${name}`, { metadata, spec: { containers: [{ image: "img" }] } });
  }

  async #boot(life: Life): Promise<void> {
    const { clock, ground, parts } = this;
    const { gates, drivers: { driver, guard } } = life;
    const files = parts.files(this.disk.openThrough(gates));
    const { bootId } = this;
    const opened = await openStateStore({ path: STATE_PATH, files, clock, logger: SILENT, bootId, nodeName: NODE });
    const store = life.store = parts.store(opened);
    const ipam = life.ipam = parts.ipam(createIpam({ clock, random: (bits) => this.#randomBits(bits) }));
    const node = life.node = parts.node(
      assembleNode({
        ...{ nodeName: NODE, store, ipam, driver, guard, clock, logger: SILENT },
        host: {
          read: () => gates.pass("host: read", () => NETWORK),
          apply: () => Promise.resolve([]),
        },
        routes: IDLE_ROUTES,
        bird: {
          apply: (text) => this.#applyBird(gates, text),
          sessions: () => Promise.resolve([]),
        },
        kube: this.#kubeThrough(gates),
        pods: watched(new Map()),
        nodeConfigs: watched(this.#readings),
        memory: {
          load: () => this.#remembered,
          save: (config) => gates.pass("remember NodeConfig", () => void (this.#remembered = config)),
        },
        marker: { isSet: () => true, set: () => {} },
        tombstones: {
          list: () => [...this.tombstones.values()].sort((a, b) => a.at - b.at),
          remove: ({ containerId, at }) => {
            if (this.tombstones.get(containerId)?.at === at) this.tombstones.delete(containerId);
          },
        },
        netnsAt: (path) => ground.netnsAt(path),
        netnsGone: (of) => ground.netnsGone(of),
        addressesChanged: () => life.loops?.node.ring("addresses"),
        drifted: () => life.loops?.node.ring("drift"),
      }),
      { ...life.drivers, clock },
    );
    await node.recover();
    life.listening = true;
    await node.tombstones.replay();
    this.#serve(life, node);
  }

  /** The loops that matter here, with the bells of the Agent. */
  #serve(life: Life, { reconciler, ledger, tombstones, collector }: NodeParts): void {
    const options = { retryMs: 2_000, clock: this.clock, logger: SILENT };
    const owed = new Set<string>(); // a pass that failed owes what it was asked for
    const node = new ReconcileLoop(async (ticks) => {
      for (const tick of ticks) owed.add(tick);
      if ([...owed].every((tick) => tick === "addresses")) await reconciler.announce();
      else await reconciler.pass({ full: owed.has("drift") });
      owed.clear();
    }, { ...options, name: "node" });
    const collect = new ReconcileLoop(async () => {
      await tombstones.catchUp();
      await ledger.flush().catch(() => {});
      await collector.sweep();
    }, { ...options, name: "collect" });
    life.loops = { node, collect };
    life.serving = true;
    node.ring("start");
    collect.ring("start");
  }

  #applyBird(gates: Gates, text: string): Promise<BirdOutcome> {
    if (text === this.birdText) return Promise.resolve({ applied: true });
    return gates.pass("bird: configure", () => {
      this.birdText = text;
      return { applied: true as const };
    }, { lane: "bird" });
  }

  #kubeThrough(gates: Gates): KubeClient {
    return {
      watch: () => {
        throw new Error("Cannot watch: the world hands its own collections in");
      },
      get: (path) =>
        gates.pass(`kube: get ${path}`, () => this.#pods.get(path)).catch((error) => {
          throw new KubeError(String(error), undefined);
        }),
      patchStatus: () => Promise.resolve(),
      recordEvent: () => {},
      stop: () => {},
    };
  }

  #randomBits(bits: number): bigint {
    let value = 0n;
    for (let i = 0; i < bits; i += 32) {
      this.#random = BigInt.asUintN(64, this.#random * 6364136223846793005n + 1442695040888963407n);
      value = (value << 32n) | (this.#random >> 32n);
    }
    return BigInt.asUintN(bits, value);
  }
}

function watched<T>(items: ReadonlyMap<string, T>): Watched<T> {
  return { synced: true, items, lastContact: 0, onChange: () => () => {}, stop: () => {} };
}
