/** Faults that take minutes by nature: rounds go on around them, with what they leave possible. */
import { assertEquals } from "@std/assert";
import { createSandbox } from "../e2e/_sandbox.ts";
import type { Cluster } from "./cluster.ts";
import type { Circumstances } from "./plan.ts";
import type { Report } from "./report.ts";

const MINUTE = 60_000;

/** Kubelet waits so long for RunPodSandbox, in milliseconds. */
const KUBELET_DEADLINE_MS = 240_000;

export interface LongFault {
  readonly name: string;
  /** Not before so long after the soak's start, in milliseconds. */
  readonly fromMs: number;
  /** From its beginning, which may be late. */
  readonly forMs: number;
  /** What rounds must respect while it lasts. */
  readonly circumstances: Partial<Circumstances>;
  /** @returns how it ends */
  begin(cluster: Cluster, report: Report): Promise<() => Promise<void>>;
}

/**
 * T-API-01: connections are accepted and never answered, for ten minutes. Every check still holds: nothing is
 * withdrawn.
 */
const BLACK_HOLE: LongFault = {
  name: "API server black-holed for ten minutes (T-API-01)",
  fromMs: 2 * MINUTE,
  forMs: 10 * MINUTE,
  circumstances: { apiAway: true },
  begin: async ({ lab: { api } }) => {
    await api.faults.freeze();
    return api.faults.recover;
  },
};

/** T-REL-21: the plugin gives up before its caller does, and the late ADD leaves nothing once its DEL has come. */
const STALL: LongFault = {
  name: "agent stalled for 250 s with an ADD under way (T-REL-21)",
  fromMs: 13 * MINUTE,
  forMs: 250_000,
  circumstances: { away: new Set([1]) },
  begin: async (cluster, report) => {
    const { node } = cluster.member(1);
    const sandbox = await createSandbox(node.lab);
    const thaw = node.freeze("agent");
    const start = performance.now();
    const answer = sandbox.call("ADD").then(({ code }) => ({
      code,
      inTime: performance.now() - start < KUBELET_DEADLINE_MS,
    }));
    answer.catch(() => {}); // awaited at the end
    return async () => {
      thaw();
      const wrong = await answer.then((given) => assertEquals(given, { code: 11, inTime: true })).then(
        () => [],
        (e) => [`${e}`],
      );
      report.add({ where: node.lab.name, what: wrong, evidence: "T-REL-21" });
      await sandbox.remove();
    };
  },
};

/** The soak is long enough for these from so many minutes on. */
const LONG_MINUTES = 20;

/** @returns what a soak of that length holds */
export function longFaultsOf(minutes: number): readonly LongFault[] {
  return minutes >= LONG_MINUTES ? [BLACK_HOLE, STALL] : [];
}

/** Begins and ends long faults when their time has come. */
export class LongFaults {
  // fault -> when it is over, and how it ends
  readonly #lasting = new Map<LongFault, { readonly untilMs: number; readonly end: () => Promise<void> }>();
  #waiting: readonly LongFault[];

  constructor(private readonly cluster: Cluster, private readonly report: Report, minutes: number) {
    this.#waiting = longFaultsOf(minutes);
  }

  /**
   * Called between rounds. What ended leaves a round without any: a node must have heard of what the API server was
   * told late, before its agent stands still.
   *
   * @param elapsedMs since the soak's start. @returns what the next round has to respect
   */
  async turn(elapsedMs: number): Promise<Circumstances> {
    const begun = this.#lasting.size;
    for (const [fault, { untilMs, end }] of this.#lasting) {
      if (elapsedMs < untilMs) continue;
      this.#lasting.delete(fault);
      await end();
    }
    const [next] = this.#waiting;
    if (next !== undefined && begun === 0 && elapsedMs >= next.fromMs) {
      this.#waiting = this.#waiting.slice(1);
      const end = await next.begin(this.cluster, this.report);
      this.#lasting.set(next, { untilMs: elapsedMs + next.forMs, end });
    }
    const ordinary: Circumstances = { nodes: this.cluster.members.length, apiAway: false, away: new Set() };
    return [...this.#lasting.keys()].reduce((all, { circumstances }) => ({ ...all, ...circumstances }), ordinary);
  }

  /** Whether none lasts or is to come. */
  get over(): boolean {
    return this.#lasting.size + this.#waiting.length === 0;
  }

  /** Names of those that last. */
  get lasting(): readonly string[] {
    return [...this.#lasting.keys()].map(({ name }) => name);
  }
}
