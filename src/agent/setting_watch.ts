import type { Clock } from "../clock/clock.ts";
import type { HostNetwork, HostState } from "../host/host_driver.ts";
import { planSettings, type ReadSetting } from "../host/plan_settings.ts";
import type { Allocation } from "../ipam/allocation.ts";
import { planSysctls } from "../link/plan_attachment.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { attachmentOf } from "./attachment_state.ts";

/** Each sysctl is read so often, in milliseconds. */
const ROUND_MS = 1000;
/** So many links are looked at in one go, and the next ones a while later: no ADD waits for all of them. */
const SLICE = 25;
/** Longest time, in milliseconds, for which nobody is told of what cannot be mended. */
const LONGEST_SILENCE_MS = 60_000;

export interface SettingWatchDependencies {
  readonly ledger: Pick<AllocationLedger, "all">;
  readonly node: {
    /** What the node as a whole should be, and its network; undefined until that is known. */
    readonly hostState: HostState | undefined;
    readonly network: HostNetwork | undefined;
  };
  readonly read: ReadSetting;
  /** What was not read since the last call is not needed any more: called after each round. */
  letGo(): void;
  readonly clock: Clock;
}

export interface SettingListener {
  readonly signal: AbortSignal;
  /** Something differs. Resolves when that was looked after; must not reject. */
  changed(): Promise<void>;
}

/** A pod, or the node as a whole. */
type Subject = Allocation | "node";

type Wanted = ReturnType<typeof planSysctls>;

/** Looks at the sysctls every second: the kernel tells nobody when they change. Starts no process, and changes nothing. */
export class SettingWatch {
  /** What differed right after it was looked after, so that nobody may be able to mend it. */
  readonly #left = new Map<Subject, ReadonlySet<string>>();
  /** When to tell of that again, by the monotonic clock, and how long to be silent after that. */
  #again = { at: 0, silenceMs: ROUND_MS };
  /** They are the same as long as the record is. */
  readonly #wanted = new WeakMap<Allocation, Wanted>();

  constructor(private readonly deps: SettingWatchDependencies) {}

  /** Runs until the signal is aborted; never rejects. Of what differs it tells at once, and of what stays so at ever longer intervals. */
  async run(listener: SettingListener): Promise<void> {
    while (await this.#round(listener)) this.deps.letGo();
  }

  /** @returns false once the signal is aborted */
  async #round({ changed, signal }: SettingListener): Promise<boolean> {
    const { ledger, clock } = this.deps;
    const committed = ledger.all().filter(({ state }) => state === "committed");
    const turns = Math.max(1, Math.ceil(committed.length / SLICE));
    for (let turn = 0; turn < turns; turn++) {
      const sleep = clock.sleep(ROUND_MS / turns, signal);
      if (!await sleep.then(() => true, () => false)) return false;
      const slice = committed.slice(turn * SLICE, (turn + 1) * SLICE);
      await this.#look(turn === 0 ? ["node", ...slice] : slice, changed);
    }
    return true;
  }

  async #look(subjects: readonly Subject[], changed: () => Promise<void>): Promise<void> {
    const isNews = this.#findNews(subjects);
    const { clock } = this.deps;
    if (!isNews && (this.#left.size === 0 || clock.monotonic() < this.#again.at)) return;
    await changed();
    const touched = new Set([...subjects, ...this.#left.keys()]);
    for (const [subject, found] of this.#differences([...touched])) this.#leave(subject, found);
    const silenceMs = isNews ? ROUND_MS : Math.min(2 * this.#again.silenceMs, LONGEST_SILENCE_MS);
    this.#again = { at: clock.monotonic() + silenceMs, silenceMs };
  }

  /** @returns whether something differs that was not known to stay so */
  #findNews(subjects: readonly Subject[]): boolean {
    let isNews = false;
    for (const [subject, found] of this.#differences(subjects)) {
      const left = this.#left.get(subject);
      if (left === undefined && found.size === 0) continue;
      const isKnown = found.isSubsetOf(left ?? new Set());
      if (isKnown) this.#leave(subject, found);
      isNews ||= !isKnown;
    }
    return isNews;
  }

  #leave(subject: Subject, found: ReadonlySet<string>): void {
    if (found.size === 0) this.#left.delete(subject);
    else this.#left.set(subject, found);
  }

  /** In the same turn as the look at the ledger: what a DEL takes away meanwhile is not missing. */
  #differences(subjects: readonly Subject[]): [Subject, ReadonlySet<string>][] {
    const current = new Set(this.deps.ledger.all());
    return subjects.map((subject) => [subject, this.#differencesOf(subject, current)]);
  }

  /** A link that goes while it is read fails the reading with whatever error; the next one is a second away. */
  #differencesOf(subject: Subject, current: ReadonlySet<Allocation>): ReadonlySet<string> {
    try {
      if (subject === "node") return new Set(this.#ofNode());
      return new Set(current.has(subject) ? this.#ofPod(subject) : []);
    } catch {
      return new Set();
    }
  }

  #ofNode(): string[] {
    const { read, node: { hostState, network } } = this.deps;
    if (hostState === undefined || network === undefined) return [];
    return planSettings(hostState, { network, read }).map(([name]) => name);
  }

  /** Also a link that is gone, whose sysctls are gone with it. */
  #ofPod(allocation: Allocation): string[] {
    const { read } = this.deps;
    const { hostLink } = allocation;
    if (read(`ipv4/conf/${hostLink}/forwarding`) === undefined) return [hostLink];
    return this.#wantedOf(allocation).flatMap(([name, wanted]) => {
      const value = read(name);
      return value === undefined || value === wanted ? [] : [name];
    });
  }

  #wantedOf(allocation: Allocation): Wanted {
    const known = this.#wanted.get(allocation);
    if (known !== undefined) return known;
    const wanted = planSysctls(attachmentOf(allocation));
    this.#wanted.set(allocation, wanted);
    return wanted;
  }
}
