import { assert, assertEquals, fail } from "@std/assert";
import type { Allocation } from "../../src/ipam/allocation.ts";
import { type Container, familiesOf, isBeingAdded, isMended, isWhole, newContainer } from "./container.ts";
import { addressOf, CONFIGS, isUsable } from "./node_configs.ts";
import type { Look } from "./look.ts";
import { RestWatch } from "./rest_watch.ts";
import type { Answer, Call } from "./runtime.ts";
import type { Drift } from "./step.ts";

/** What the state on the disk says, for a call that was answered just now. */
export interface Durable {
  /** After a power cut. */
  readonly synced: readonly Allocation[];
  /** To the next agent, if this one is killed. */
  readonly visible: readonly Allocation[];
}

/** What was so when a call was sent. */
interface Sent {
  /** Its place among all calls. */
  readonly order: number;
  readonly faults: number;
  readonly steps: number;
  readonly live: readonly string[] | undefined;
  /** Whether its path and grants were whole, at each look since. */
  readonly whole: Set<boolean>;
}

/** An answer, and which of all calls it answers. */
interface Heard {
  readonly call: Call;
  readonly answer: Answer;
  readonly durable: Durable;
  readonly order: number;
}

/** What must hold, as pure knowledge: whom the runtime was told what, and what follows from it. */
export class Model {
  readonly #containers = new Map<string, Container>();
  readonly #rests = new RestWatch();
  /** Whether an agent was started and not killed since. */
  alive = false;
  /** Faults so far that may leave something undone: failed effects, refused writes, deaths. */
  faults = 0;
  /** Settings of the wall clock so far; across one nobody can tell which call was the earlier. */
  steps = 0;
  readonly #sent = new Map<Call, Sent>();
  #calls = 0;

  container(id: string): Container {
    const known = this.#containers.get(id);
    if (known !== undefined) return known;
    const container = newContainer(id);
    this.#containers.set(id, container);
    return container;
  }

  get containers(): readonly Container[] {
    return [...this.#containers.values()];
  }

  sent(call: Call): void {
    const live = this.#containers.get(call.id)?.live;
    const whole = new Set<boolean>();
    this.#sent.set(call, { order: this.#calls++, faults: this.faults, steps: this.steps, live, whole });
    if (call.verb === "GC") return;
    const container = this.container(call.id);
    container.open.add(call);
    if (call.verb === "ADD") this.#adding(container);
    if (call.verb !== "DEL") return;
    container.live = undefined;
    for (const open of container.open) if (open.verb === "ADD") container.abandoned.add(open);
  }

  /** @throws AssertionError */
  answered(call: Call, answer: Answer, durable: Durable): void {
    const sent = this.#sent.get(call) ?? { order: -1, faults: -1, steps: -1, live: undefined, whole: new Set() };
    this.#sent.delete(call);
    const undisturbed = sent.faults === this.faults;
    if (!answer.ok) assert(answer.code !== 999 || !undisturbed, `${call.verb} ${call.id}: ${answer.message}`);
    if (call.verb === "GC") return assert(!answer.ok || call.id !== "absent", "GC without a list was not refused");
    const container = this.container(call.id);
    container.open.delete(call);
    if (call.verb === "ADD") {
      this.#added(container, { call, answer, durable, order: sent.order, stepped: sent.steps !== this.steps });
    }
    if (call.verb === "DEL") this.#deleted(container, { call, answer, durable, order: sent.order, undisturbed });
    const isOfTheSame = sent.live !== undefined && sent.live === container.live && container.open.size === 0;
    if (call.verb === "CHECK" && isOfTheSame) this.#checked(answer, { ...sent, id: call.id, undisturbed });
  }

  /** What the sandbox had is gone, and the runtime knows nothing of it. */
  vanished(id: string): void {
    const container = this.container(id);
    container.netns = container.held = false;
    container.live = undefined;
    for (const open of container.open) if (open.verb === "ADD") container.abandoned.add(open);
  }

  /** The path of its namespace is gone, and nothing else; an ADD that is under way takes the sandbox for dead. */
  unnamed(id: string): void {
    const container = this.container(id);
    [container.netns, container.held] = [false, true];
    if (isBeingAdded(container)) container.live = undefined;
  }

  /** The runtime has forgotten the container, and says so by leaving it out of a GC's list. */
  forgotten(id: string): void {
    this.container(id).live = undefined;
  }

  /** Somebody has removed or altered something of the container's; the guard's tables are everybody's. */
  altered(id: string, what: Drift): void {
    if (what === "blackhole" || what === "forwarding" || what === "foreign grant" || what === "pod end") return;
    for (const container of what === "tables" ? this.containers : [this.container(id)]) {
      container.altered = true;
      // An ADD that finds no link makes another one, with other addresses, and may fail at it.
      if (isBeingAdded(container)) container.live = undefined;
    }
  }

  died(): void {
    this.alive = false;
    this.faults++;
  }

  rebooted(): void {
    for (const { id } of this.containers) this.vanished(id);
  }

  /** After every step. @throws AssertionError */
  verify(look: Look): void {
    const holders = new Map<string, string>();
    for (const [link, { addresses }] of look.links) {
      for (const text of addresses) {
        assert(!holders.has(text), `${text} is on ${link} and on ${holders.get(text)}`);
        holders.set(text, link);
      }
    }
    const recorded = new Map(look.ledger?.map((allocation) => [allocation.containerId, allocation]));
    for (const container of this.#containers.values()) {
      const isSettled = isMended(container, look) && !isBeingAdded(container);
      container.altered &&= !isSettled;
      if (!container.altered) this.#verifyLive(container, look, recorded);
    }
    for (const [{ verb, id }, { whole }] of this.#sent) {
      if (verb === "CHECK") whole.add(isWhole(this.container(id), look));
    }
    this.#rests.verify(look);
  }

  /** When whatever was altered should be good again. @throws AssertionError */
  verifyMended(look: Look): void {
    const altered = this.containers.filter((container) => !isMended(container, look)).map(({ id }) => id);
    assertEquals([altered, look.node], [[], []], "whatever somebody altered is as it was");
  }

  /** When nothing is under way, nothing is refused, and a full pass has been made. @throws AssertionError */
  verifyQuiet(look: Look, durable: Durable): void {
    const { ledger = [] } = look;
    assertEquals(
      sorted(durable.visible.map(shown)),
      sorted(ledger.map(shown)),
      "the file says what the memory says",
    );
    // What nobody relies on may be half undone: its ADD could not be, and its runtime never asked again.
    const recorded = new Set(ledger.map(({ hostLink }) => hostLink));
    for (const [link, { containerId }] of look.links) {
      // Two crashes, one in an attach and one in its undoing, leave a link without alias and address; it goes with its namespace.
      assert(recorded.has(link) || containerId === undefined, `${link} is in the kernel and not recorded`);
    }
    for (const { containerId, hostLink, ...record } of ledger) {
      if (this.container(containerId).live === undefined) continue;
      assertEquals(look.links.get(hostLink)?.addresses.join(","), textsOf(record), `${containerId} in the kernel`);
    }
    assertEquals(sorted(look.grants ?? []), sorted(ledger.flatMap(grantsOf)), "the guard lets exactly these send");
    for (const { id, link, gone } of this.containers) {
      if (!gone) continue;
      assert(!ledger.some(({ containerId }) => containerId === id), `${id} was deleted, and is there`);
      assert(!look.links.has(link), `${id} was deleted, and its link is there`);
    }
  }

  /** After a restart. @throws AssertionError */
  verifyNothingPending({ ledger = [] }: Look): void {
    assertEquals(ledger.filter(({ state }) => state === "pending").map(shown), [], "nothing is half done");
  }

  /** When nothing is under way and nothing has failed for a while. @throws AssertionError */
  verifyNoGrantTooMany({ ledger = [], grants }: Look): void {
    const owed = new Set(ledger.flatMap(grantsOf));
    for (const grant of grants ?? []) assert(owed.has(grant), `${grant} is granted, and nobody's`);
  }

  #adding(container: Container): void {
    container.gone = false;
    if (container.altered) container.live = undefined; // as in `altered`
  }

  #checked(
    answer: Answer,
    { id, whole, undisturbed }: Pick<Sent, "whole"> & { id: string; undisturbed: boolean },
  ): void {
    if (answer.ok) return assert(whole.has(true) || whole.size === 0, `CHECK ${id} of what is damaged: it was passed`);
    assert(!undisturbed || whole.has(false) || answer.code === 11, `CHECK ${id} of what is so: it was refused`);
  }

  #added(
    container: Container,
    { call, answer, durable, order, stepped }: Heard & { stepped: boolean },
  ): void {
    const { id } = container;
    const abandoned = container.abandoned.delete(call);
    if (!answer.ok) return;
    const told = `${id} committed ${answer.addresses.join(",")}`;
    const onDisk = durable.synced.some((record) => shown(record) === told);
    assert(onDisk, `ADD ${id} was answered before it was on the disk`);
    // Nobody can tell that it was late when the wall clock was set, or the disk refused to take the deletion.
    const doubtful = stepped || !container.deletionKept;
    if (abandoned && doubtful) container.gone = false;
    if (abandoned) {
      const late = order < container.deletedAt;
      return assert(!late || doubtful, `ADD ${id} was answered although its container was deleted before`);
    }
    this.#verifyGiven(id, answer.addresses);
    if (container.netns) container.live = answer.addresses;
  }

  #verifyGiven(id: string, texts: readonly string[]): void {
    const addresses = texts.map(addressOf);
    const wanted = familiesOf(id);
    const fits = CONFIGS.some((config) => {
      const families = ([6, 4] as const).filter((family) =>
        wanted[family] ?? (family === 6 ? config.defaults.ipv6 : config.defaults.ipv4)
      );
      return families.length === addresses.length &&
        families.every((family) => addresses.some((address) => address.family === family && isUsable(config, address)));
    });
    assert(fits, `${id} was given ${texts.join(" and ")}: reserved, out of range, or not of all its families`);
    for (const { id: other, live } of this.#containers.values()) {
      assert(
        other === id || !live?.some((text) => texts.includes(text)),
        `${id} was given ${texts}, which ${other} has`,
      );
    }
  }

  #deleted(
    container: Container,
    { call, answer, durable, order, undisturbed }: Heard & { undisturbed: boolean },
  ): void {
    if (!answer.ok) return assert(!undisturbed, `DEL ${call.id}: ${answer.message}`);
    container.gone = true;
    container.deletionKept = undisturbed;
    if ("noted" in answer) return; // a late ADD may be answered before the note is read, and is undone then
    container.deletedAt = order;
    // One that is pending on the disk is cleaned up by whoever reads it.
    const onDisk = [...durable.synced, ...durable.visible].some(({ containerId, state }) =>
      containerId === container.id && state === "committed"
    );
    assert(!onDisk || !undisturbed, `DEL ${call.id} was answered before it was on the disk`);
    if (onDisk) container.gone = false; // as the disk was refused: a crash may bring it back, for the collector to find
  }

  #verifyLive({ id, link, live }: Container, look: Look, recorded: ReadonlyMap<string, Allocation>): void {
    if (live === undefined) return;
    const texts = live.join(",");
    const routed = look.links.get(link)?.addresses.join(",");
    if (routed !== texts) assertEquals(routed, texts, `${id} has what its ADD was answered`);
    for (const text of live) if (!look.grants?.has(`${link} ${text}`)) fail(`${id} may not send from ${text}`);
    if (!look.serving) return;
    const record = recorded.get(id);
    if (record?.state !== "committed") fail(`${id} was answered, and is not recorded`);
    if (textsOf(record) !== texts) assertEquals(textsOf(record), texts, `what is recorded of ${id}`);
  }
}

function textsOf({ ipv6, ipv4 }: Pick<Allocation, "ipv6" | "ipv4">): string {
  return [ipv6, ipv4].filter((text) => text !== undefined).sort().join(",");
}

function grantsOf(allocation: Allocation): string[] {
  return textsOf(allocation).split(",").map((text) => `${allocation.hostLink} ${text}`);
}

function shown(allocation: Allocation): string {
  return `${allocation.containerId} ${allocation.state} ${textsOf(allocation)}`;
}

function sorted(texts: Iterable<string>): string[] {
  return [...texts].sort();
}
