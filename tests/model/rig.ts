import type { Allocation } from "../../src/ipam/allocation.ts";
import { hostLinkName } from "../../src/hash/container_hash.ts";
import { parseStateDocument, type StateDocument } from "../../src/store/state_document.ts";
import { settled, type Waiting } from "./gates.ts";
import type { Look } from "./look.ts";
import { annotationsOf } from "./container.ts";
import { type Durable, Model } from "./model.ts";
import { READINGS } from "./node_configs.ts";
import { netnsOf, Runtime, type Verb } from "./runtime.ts";
import type { Beginning, Drift, GcList, Step } from "./step.ts";
import type { Ground } from "./ground.ts";
import type { Parts } from "./life.ts";
import { STATE_PATH, World } from "./world.ts";

/** A ground that can be looked at from outside. */
export interface VisibleGround extends Ground {
  /** Every link of flock's and every grant; foreign ones are compared with what they were. @throws AssertionError */
  look(): Promise<Pick<Look, "links" | "grants" | "damaged">>;
}

/** More effects than a schedule can leave waiting; beyond that somebody goes round in circles. */
const MAX_EFFECTS = 5_000;

// The same bytes are read for one answer after the other.
const documents = new WeakMap<Uint8Array, StateDocument>();

const GC_LIST = "cni.dev/valid-attachments";

/** Plays steps in the world, and tells the model. */
export class Rig {
  readonly model = new Model();
  readonly world: World;
  readonly runtime: Runtime;
  readonly beginning: Beginning;
  readonly #ground: VisibleGround;
  /** What the model found wrong with an answer. */
  #wrong: unknown;

  constructor(beginning: Beginning, { ground, parts = {} }: { ground: VisibleGround; parts?: Partial<Parts> }) {
    this.beginning = beginning;
    this.#ground = ground;
    this.world = new World(ground, {
      ...{ seed: beginning.seed, parts },
      writeFailed: () => void this.model.faults++,
    });
    this.runtime = new Runtime(this.world, (call, answer) => {
      try {
        this.model.answered(call, answer, this.durable());
      } catch (error) {
        this.#wrong ??= error;
      }
    });
  }

  /** A node with an agent that serves. */
  async begin(): Promise<void> {
    this.world.configure(this.beginning.config);
    this.start();
    await this.drain();
  }

  /** Does the step, and looks whether all that must hold does. @throws AssertionError */
  async play(step: Step): Promise<void> {
    await this.#do(step);
    await this.verify();
  }

  async verify(): Promise<void> {
    await this.#settle();
    if (this.#wrong !== undefined) throw this.#wrong;
    this.model.verify(await this.look());
  }

  /** Lets everything that waits happen, in order. */
  async drain(): Promise<void> {
    await this.#settle();
    for (let effects = 0; this.#waiting().length > 0; effects++) {
      if (effects > MAX_EFFECTS) throw new Error(`Cannot come to rest: ${this.#waiting()[0]?.what} again and again`);
      await this.play({ do: "go", pick: 0, count: 1 });
    }
  }

  async #do(step: Step): Promise<void> {
    const { world, model } = this;
    switch (step.do) {
      case "add":
        return await this.add(this.#idOf(step.pod));
      case "del":
        return this.del(this.#idOf(step.pod));
      case "check":
        return this.check(this.#idOf(step.pod));
      case "gc":
        return this.#collect(step.list, this.#idOf(step.pod));
      case "go":
        return await this.#go(step.pick, step.count);
      case "fail":
        return this.#fail(step.pick);
      case "kill":
        return await this.#kill(step.happened);
      case "start":
        return this.start();
      case "reboot":
        await this.#kill(0);
        await world.reboot(step);
        return model.rebooted();
      case "vanish":
        return await this.vanish(this.#idOf(step.pod));
      case "unname":
        return await this.#unname(this.#idOf(step.pod));
      case "drift":
        return await this.alter(this.#idOf(step.pod), step.what);
      case "disk":
        return world.disk.refuse(step.state === "room" ? undefined : step.state);
      case "tick":
        return this.#tick(step.what);
      case "wait":
        return world.clock.pass(step.ms);
      case "set wall clock":
        model.steps++;
        return world.clock.stepWall(step.ms);
      case "configure":
        return world.configure(step.which % (READINGS.length));
    }
  }

  /** The runtime adds a container; what an earlier sandbox of it left it takes away before. */
  async add(id: string): Promise<void> {
    const container = this.model.container(id);
    if ([...container.open].some(({ verb }) => verb === "DEL")) return;
    if (container.held) await this.vanish(id);
    if (!container.netns) await this.world.ground.addNamespace(netnsOf(id));
    container.netns = true;
    this.world.createPod(id, annotationsOf(id));
    this.#send("ADD", id);
  }

  async vanish(id: string): Promise<void> {
    await this.world.vanish(netnsOf(id), hostLinkName(id));
    this.model.vanished(id);
  }

  /** Without its link it is dead: nobody makes one anew in a sandbox that cannot be found. */
  async #unname(id: string): Promise<void> {
    if (!this.model.container(id).netns) return;
    await this.world.ground.unname(netnsOf(id));
    const { links } = await this.look();
    if (links.get(hostLinkName(id))?.containerId === undefined) this.model.vanished(id);
    else this.model.unnamed(id);
  }

  async alter(id: string, what: Drift): Promise<void> {
    if (!await this.world.alter(what, hostLinkName(id))) return;
    if (what === "link" && this.model.container(id).held) return this.model.vanished(id);
    this.model.altered(id, what);
  }

  del(id: string): void {
    if ([...this.model.container(id).open].some(({ verb }) => verb === "DEL")) return;
    this.#send("DEL", id);
  }

  check(id: string): void {
    const { live, open } = this.model.container(id);
    if (live === undefined || open.size > 0) return;
    const interfaces = [{ name: "eth0", sandbox: netnsOf(id) }];
    const ips = live.map((text) => ({ address: `${text}/${text.includes(":") ? 128 : 32}`, interface: 0 }));
    this.#send("CHECK", id, () => ({ prevResult: { cniVersion: "1.1.0", interfaces, ips } }));
  }

  /** The list is what the runtime knows when the agent reads it: it runs no ADD while it makes one up. */
  #collect(list: GcList, id: string): void {
    const forgotten = this.model.container(id);
    this.#send("GC", list, () => {
      if (list === "absent") return {};
      if (list === "null") return { [GC_LIST]: null };
      if (list === "empty") return { [GC_LIST]: [] };
      return this.#listAllBut(list === "forget" && forgotten.open.size === 0 ? [id] : []);
    });
  }

  /** The runtime has forgotten these, and asks for everything to be freed that it does not know. */
  collectAllBut(ids: readonly string[]): void {
    this.#send("GC", "forget", () => this.#listAllBut(ids));
  }

  #listAllBut(ids: readonly string[]): Record<string, unknown> {
    for (const id of ids) this.model.forgotten(id);
    const known = this.model.containers.filter(({ id, netns, held }) => (netns || held) && !ids.includes(id));
    return { [GC_LIST]: known.map(({ id }) => ({ containerID: id, ifname: "eth0" })) };
  }

  #send(verb: Verb, id: string, config: () => Record<string, unknown> = () => ({})): void {
    this.world.clock.pass(1);
    const call = { verb, id, startedAt: this.world.clock.wall(), config };
    this.model.sent(call);
    this.runtime.send(call);
  }

  async #go(pick: number, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const waiting = this.#waiting();
      const next = waiting[pick % Math.max(1, waiting.length)];
      if (next === undefined) return;
      this.world.clock.pass(1); // everything takes its time
      await next.go();
      await this.verify();
    }
  }

  #fail(pick: number): void {
    const waiting = this.world.life?.gates.next ?? [];
    const next = waiting[pick % Math.max(1, waiting.length)];
    if (next === undefined) return;
    this.model.faults++;
    next.refuse(new Error(`${next.what}: made to fail`));
  }

  async #kill(happened: number): Promise<void> {
    if (this.world.life === undefined) return;
    this.model.died();
    await this.world.kill(happened);
    this.runtime.hangUp();
  }

  start(): void {
    if (this.world.life !== undefined) return;
    this.world.start();
    this.model.alive = true;
  }

  #tick(what: "drift" | "collect" | "nodeConfigs"): void {
    const { loops } = this.world.life ?? {};
    if (what === "collect") loops?.collect.ring("timer");
    else loops?.node.ring(what);
  }

  #idOf(pod: number): string {
    return `c${pod % this.beginning.pods}`;
  }

  #waiting(): readonly Waiting[] {
    return [...this.runtime.gates.next, ...this.world.life?.gates.next ?? []];
  }

  async #settle(): Promise<void> {
    const { life } = this.world;
    await settled(this.runtime.gates, ...life === undefined ? [] : [life.gates]);
    if (!this.runtime.accept()) return;
    await settled(this.runtime.gates, ...life === undefined ? [] : [life.gates]);
  }

  async look(): Promise<Look> {
    const { life, clock } = this.world;
    const ledger = life?.node?.ledger.all();
    return {
      ...await this.#ground.look(),
      life,
      ledger,
      serving: life?.serving ?? false,
      node: [...this.world.alteredNode],
      monotonic: clock.monotonic(),
      steps: clock.steps,
    };
  }

  durable(): Durable {
    const { disk } = this.world;
    return { synced: this.#read(disk.synced(STATE_PATH)), visible: this.#read(disk.visible(STATE_PATH)) };
  }

  #read(bytes: Uint8Array<ArrayBuffer> | undefined): readonly Allocation[] {
    if (bytes === undefined) return [];
    const document = documents.get(bytes) ?? parseStateDocument(bytes);
    documents.set(bytes, document);
    const { bootId, state } = document;
    return bootId === this.world.bootId ? [...state.allocations.values()] : [];
  }
}
