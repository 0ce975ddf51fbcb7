/** What a soak does in each round, decided by its seed alone. Pure. */
import { shuffled } from "../bench/statistics.ts";
import { Dice } from "./dice.ts";

/** Who a fault strikes; one round strikes nobody twice. */
export type Target = "agent" | "plugin" | "bird" | "containerd" | "api" | "disk" | "kernel" | "cable" | "router";

// kind -> whom it strikes, and for how long at least and at most, in milliseconds
export const FAULTS = {
  /** SIGKILL, and a new one after a while. */
  agentKill: { target: "agent", forMs: [50, 2_000] },
  /** SIGSTOP, SIGCONT. */
  agentStall: { target: "agent", forMs: [500, 6_000] },
  /** SIGTERM, and a new one only after DELs have come. */
  agentAway: { target: "agent", forMs: [2_000, 6_000] },
  /** SIGKILL for every call of the plugin, ADD or DEL. */
  pluginKill: { target: "plugin", forMs: [200, 1_000] },
  birdKill: { target: "bird", forMs: [50, 3_000] },
  birdStall: { target: "bird", forMs: [500, 5_000] },
  containerdKill: { target: "containerd", forMs: [50, 2_000] },
  containerdStall: { target: "containerd", forMs: [500, 4_000] },
  /** containerd loses a sandbox that dies: nobody ever sends its DEL. */
  containerdForgets: { target: "containerd", forMs: [50, 500] },
  apiRefuse: { target: "api", forMs: [1_000, 8_000] },
  apiFreeze: { target: "api", forMs: [1_000, 8_000] },
  apiCompact: { target: "api", forMs: [0, 0] },
  /** Nothing can be written where the state lies. */
  diskFull: { target: "disk", forMs: [1_000, 5_000] },
  /** Somebody else's firewall script. */
  nftFlush: { target: "kernel", forMs: [0, 0] },
  /** Somebody else's network script takes the routes to pods. */
  routeFlush: { target: "kernel", forMs: [0, 0] },
  /** Between node and router. */
  cablePull: { target: "cable", forMs: [500, 8_000] },
  /** The router ends all of its sessions. */
  bgpReset: { target: "router", forMs: [0, 0] },
  /** The node restarts all of its sessions. */
  bgpRestart: { target: "bird", forMs: [0, 0] },
} as const satisfies Readonly<Record<string, { target: Target; forMs: readonly [number, number] }>>;

export type FaultKind = keyof typeof FAULTS;

export interface PlannedFault {
  readonly kind: FaultKind;
  /** Index of the node; of no matter to `api` and `router`. */
  readonly node: number;
  /** From the round's start, in milliseconds. */
  readonly atMs: number;
  readonly forMs: number;
}

// kind -> how often, against the others
const CHURN = {
  create: 4,
  delete: 4,
  /** Deleted, and one of the same name created at once, while the old one still goes. */
  recreate: 3,
  burst: 1,
  /** Its sandbox dies behind everybody's back, and gets a successor. */
  crash: 2,
  /** Its probe fails, or no more. */
  flip: 5,
  /** Its sandbox is stopped, and removed in the next round only. */
  stop: 1,
} as const satisfies Readonly<Record<string, number>>;

export type ChurnKind = keyof typeof CHURN;

export interface PlannedChurn {
  readonly kind: ChurnKind;
  readonly node: number;
  readonly atMs: number;
  /** Which of the live pods, from 0 to below 1. */
  readonly victim: number;
}

export interface Round {
  readonly number: number;
  readonly faults: readonly PlannedFault[];
  /** By time. */
  readonly churn: readonly PlannedChurn[];
}

/** What holds while a round is planned. */
export interface Circumstances {
  readonly nodes: number;
  /** No Pod can be created or deleted: only what needs no API server happens. */
  readonly apiAway: boolean;
  /** Nodes that are left alone. */
  readonly away: ReadonlySet<number>;
}

const KINDS = Object.keys(FAULTS).filter((kind): kind is FaultKind => kind in FAULTS);
const CHURN_KINDS = Object.entries(CHURN).flatMap(([kind, weight]) => Array<string>(weight).fill(kind))
  .filter((kind): kind is ChurnKind => kind in CHURN);
const WITHOUT_API: readonly ChurnKind[] = ["crash"];
/** A round's length without its settling, in milliseconds. */
const ROUND_MS = 5_000;
const MOST_CHURN = 14;

/**
 * Deals faults from a deck that holds each kind once for every node, shuffled anew when it is empty: after so many
 * cards everything has happened everywhere.
 */
export class Planner {
  #deck: Pick<PlannedFault, "kind" | "node">[] = [];
  #number = 0;
  readonly #dice: Dice;

  constructor(seed: number) {
    this.#dice = new Dice(seed);
  }

  /** @returns the next round; the same for the same seed and circumstances */
  next(circumstances: Circumstances): Round {
    return { number: ++this.#number, faults: this.#faults(circumstances), churn: this.#churn(circumstances) };
  }

  #faults(circumstances: Circumstances): PlannedFault[] {
    const struck = new Set<string>();
    return Array.from({ length: this.#dice.between(1, 2) }).flatMap(() => {
      const card = this.#draw(circumstances);
      const whom = victimOf(card);
      if (struck.has(whom) || !isPossible(card, circumstances)) return []; // its turn comes again with the next deck
      struck.add(whom);
      const [least, most] = FAULTS[card.kind].forMs;
      return [{ ...card, atMs: this.#dice.between(0, ROUND_MS / 2), forMs: this.#dice.between(least, most) }];
    });
  }

  #draw({ nodes }: Circumstances): Pick<PlannedFault, "kind" | "node"> {
    if (this.#deck.length === 0) {
      const cards = KINDS.flatMap((kind) => nodesFor(kind, nodes).map((node) => ({ kind, node })));
      this.#deck = shuffled(cards, () => this.#dice.roll());
    }
    return this.#deck.pop() ?? { kind: "agentKill", node: 0 };
  }

  #churn({ nodes, apiAway, away }: Circumstances): PlannedChurn[] {
    const kinds = apiAway ? WITHOUT_API : CHURN_KINDS;
    const events = Array.from({ length: this.#dice.between(3, MOST_CHURN) }, (): PlannedChurn => ({
      kind: this.#dice.pick(kinds),
      node: this.#dice.between(0, nodes - 1),
      atMs: this.#dice.between(0, ROUND_MS),
      victim: this.#dice.roll(),
    }));
    return events.filter(({ node }) => !away.has(node)).sort((a, b) => a.atMs - b.atMs);
  }
}

function nodesFor(kind: FaultKind, nodes: number): readonly number[] {
  const { target } = FAULTS[kind];
  return target === "api" || target === "router" ? [0] : Array.from({ length: nodes }, (_, node) => node);
}

function victimOf({ kind, node }: Pick<PlannedFault, "kind" | "node">): string {
  const { target } = FAULTS[kind];
  return target === "api" || target === "router" ? target : `${target} ${node}`;
}

function isPossible({ kind, node }: Pick<PlannedFault, "kind" | "node">, { apiAway, away }: Circumstances): boolean {
  const { target } = FAULTS[kind];
  if (target === "api") return !apiAway;
  return target === "router" || !away.has(node);
}
