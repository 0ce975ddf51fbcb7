import type { Prefix } from "../../src/ip/address.ts";
import { idlePolicies } from "../fakes/idle_policies.ts";
import { IDLE_ROUTES } from "../fakes/idle_routes.ts";
import { NO_PASSWORDS } from "../fakes/no_passwords.ts";
import { assembleNode, type NodeParts } from "../../src/agent/assemble_node.ts";
import { NodeWork } from "../../src/agent/node_work.ts";
import { ReconcileLoop } from "../../src/agent/reconcile_loop.ts";
import type { NodeConfigReading } from "../../src/agent/resolve_node_config.ts";
import type { BirdOutcome } from "../../src/bird/bird_driver.ts";
import type { HostChange, HostNetwork } from "../../src/host/host_driver.ts";
import { createIpam } from "../../src/ipam/create_ipam.ts";
import { type KubeClient, KubeError, type KubeObject, type Watched } from "../../src/kube/kube_client.ts";
import type { Logger } from "../../src/log/logger.ts";
import type { NodeConfig } from "../../src/nodeconfig/node_config.ts";
import type { LeftTombstone } from "../../src/rpc/tombstone.ts";
import { openStateStore } from "../../src/store/open_state_store.ts";
import { Gates } from "./gates.ts";
import type { Ground, NodeDrift } from "./ground.ts";
import { alterationEvents, goneEvent, heard } from "./kernel_talk.ts";
import { KernelWatch } from "./kernel_watch.ts";
import { type Life, type Parts, SOUND } from "./life.ts";
import { ModelClock } from "./model_clock.ts";
import { NODE, READINGS } from "./node_configs.ts";
import type { Drift } from "./step.ts";
import { VolatileDisk } from "./volatile_disk.ts";

export const STATE_PATH = "/var/lib/flock/allocations.json";
export const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const NETWORK: HostNetwork = { addresses: [], defaultRoutes: [], mtus: new Map([["up0", 1500]]) };

/** All that outlives an agent: kernel, disk, API server, clock; and the agent that lives at present. */
export class World {
  readonly clock = new ModelClock();
  readonly disk: VolatileDisk;
  readonly tombstones = new Map<string, LeftTombstone>();
  readonly #readings = new Map<string, NodeConfigReading>();
  readonly #pods = new Map<string, KubeObject>();
  #remembered: NodeConfig | undefined;
  /** What somebody altered of the node as a whole: a blackhole, a sysctl. */
  readonly alteredNode = new Set<NodeDrift>();
  #rememberedPrefixes: readonly Prefix[] = [];
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
    life.watch?.end();
    life.gates.close(happened);
    this.clock.forgetSleepers();
    await life.drivers.close();
  }

  async reboot(options: { kept: boolean }): Promise<void> {
    await this.kill(0);
    await this.ground.reboot();
    this.disk.cutPower(options.kept);
    this.tombstones.clear();
    this.alteredNode.clear();
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

  /** A namespace goes, and its link, of which the kernel tells. */
  async vanish(path: string, hostLink: string): Promise<void> {
    await this.ground.removeNamespace(path);
    this.life?.watch?.hear(goneEvent(hostLink));
  }

  /** Somebody removes or alters something of flock's. @returns false when there was no such thing */
  async alter(what: Drift, hostLink: string): Promise<boolean> {
    const { watch } = this.life ?? {};
    switch (what) {
      case "blackhole":
      case "forwarding":
        this.alteredNode.add(what);
        if (what === "blackhole") watch?.tell("network");
        return true;
      case "grant":
      case "foreign grant":
      case "tables": {
        const isAltered = await this.ground.alterGuard(hostLink, what);
        if (isAltered) watch?.tell("guard");
        return isAltered;
      }
      default: {
        const altered = await this.ground.alterPath(hostLink, what);
        if (altered !== undefined) alterationEvents(altered, what).forEach((event) => watch?.hear(event));
        return altered !== undefined;
      }
    }
  }

  async #boot(life: Life): Promise<void> {
    const { clock, ground, parts } = this;
    const { gates, drivers: { guard } } = life;
    const driver = heard(life.drivers.driver, (event) => life.watch?.hear(event));
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
          apply: () => this.#applyHost(gates),
        },
        ...{ routes: IDLE_ROUTES, passwords: NO_PASSWORDS },
        bird: {
          apply: (text) => this.#applyBird(gates, text),
          sessions: () => Promise.resolve([]),
        },
        kube: this.#kubeThrough(gates),
        ...{ pods: watched(new Map()), ...idlePolicies() },
        nodeConfigs: watched(this.#readings),
        memory: {
          load: () => this.#remembered,
          save: (config) => gates.pass("remember NodeConfig", () => void (this.#remembered = config)),
        },
        prefixes: {
          load: () => this.#rememberedPrefixes,
          save: (prefixes) => gates.pass("remember prefixes", () => void (this.#rememberedPrefixes = prefixes)),
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
        patience: parts.patience,
        addressesChanged: () => life.loops?.routes.ring("addresses"),
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
    const routes = new ReconcileLoop(() => reconciler.announce(), { ...options, name: "routes" });
    const work = new NodeWork(reconciler, { pathsChanged: () => routes.ring("links") });
    const node = new ReconcileLoop((ticks) => work.pass(ticks), { ...options, name: "node" });
    const collect = new ReconcileLoop(async () => {
      await tombstones.catchUp();
      await ledger.flush().catch(() => {});
      await collector.sweep();
    }, { ...options, name: "collect" });
    life.loops = { node, routes, collect };
    life.serving = true;
    node.ring("start");
    collect.ring("start");
    const ring = this.parts.bell(async (tick) => {
      node.ring(tick);
      await node.settled();
    });
    const read = (name: string): string | undefined => this.#readSetting(name);
    life.watch = new KernelWatch({ ledger, reconciler, gates: life.gates, clock: this.clock, read, ring });
  }

  /** Of the node as a whole all is as it should be, save what was altered. */
  #readSetting(name: string): string | undefined {
    if (/\/conf\/flock/.test(name)) return this.ground.readSetting(name);
    return name === "ipv4/ip_forward" && this.alteredNode.has("forwarding") ? "0" : "1";
  }

  async #applyHost(gates: Gates): Promise<HostChange> {
    if (this.alteredNode.size === 0) return { changed: [], left: [] };
    return await gates.pass("host: apply", () => {
      const changed = [...this.alteredNode];
      this.alteredNode.clear();
      return { changed, left: [] };
    });
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
