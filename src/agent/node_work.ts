import { runEach } from "../fault/run_each.ts";
import type { NodeReconciler } from "./node_reconciler.ts";
import { RETRY, type Tick } from "./reconcile_loop.ts";

/** What a pass may consist of, in its order. `everything` is all of it, `node` what has no other name. */
const PARTS = ["everything", "node", "guard", "links", "anycast"] as const;
type Part = typeof PARTS[number];

const NODE: readonly Part[] = ["node"];
/** What each tick asks for; every other tick asks for NODE. */
const PARTS_OF: Readonly<Record<Tick, readonly Part[]>> = {
  guard: ["guard"],
  links: ["links"],
  anycast: ["anycast"],
  settings: ["node", "links"],
  drift: ["everything"],
  [RETRY]: [],
};
/** What a part does beside its own work. */
const COVERS: Partial<Record<Part, readonly Part[]>> = { everything: PARTS };

/** Does of a node's reconciliation what each tick asks for, and keeps in mind what failed. */
export class NodeWork {
  /** What was asked for and is not done: parts that failed have to be made good, those that did not have no part in that. */
  readonly #owed = new Set<Part>();

  /** @param options `pathsChanged` is called when pods' paths were repaired, or were to be: routes go over them */
  constructor(
    private readonly reconciler: Pick<NodeReconciler, "pass" | "repairLinks" | "repairGuard" | "repairRoutes">,
    private readonly options: { pathsChanged(): void },
  ) {}

  /**
   * One pass, for ReconcileLoop. What failed before is tried again by RETRY, or when it is asked for anew: another tick must
   * not bring back every second what the loop tries at ever longer intervals.
   *
   * @throws what failed, when all is done
   */
  async pass(ticks: readonly Tick[]): Promise<void> {
    const asked = ticks.flatMap((tick) => PARTS_OF[tick] ?? NODE);
    for (const part of asked) this.#owed.add(part);
    const due = new Set(ticks.includes(RETRY) ? this.#owed : asked);
    await runEach(PARTS.filter((part) => due.has(part)).map((part) => () => this.#pay(part)));
  }

  async #pay(part: Part): Promise<void> {
    if (!this.#owed.has(part)) return;
    await this.#work(part);
    for (const done of [part, ...COVERS[part] ?? []]) this.#owed.delete(done);
  }

  #work(part: Part): Promise<void> {
    const { reconciler } = this;
    switch (part) {
      case "everything":
        return reconciler.pass({ full: true });
      case "node":
        return reconciler.pass({ full: false });
      case "guard":
        return reconciler.repairGuard({ touched: true });
      case "links":
        return reconciler.repairLinks().finally(() => this.options.pathsChanged());
      case "anycast":
        return reconciler.repairRoutes();
    }
  }
}
