import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type Circumstances, FAULTS, Planner, type Round } from "./plan.ts";

const ORDINARY: Circumstances = { nodes: 2, apiAway: false, away: new Set() };

function plan(seed: number, { rounds = 60, circumstances = ORDINARY } = {}): Round[] {
  const planner = new Planner(seed);
  return Array.from({ length: rounds }, () => planner.next(circumstances));
}

Deno.test("Planner plans the same for the same seed, and something else for another", () => {
  assertEquals(plan(7), plan(7));
  assertNotEquals(plan(7), plan(8));
});

Deno.test("Planner lets every fault and every churn happen", () => {
  const rounds = plan(1);
  assertEquals(
    new Set(rounds.flatMap(({ faults }) => faults.map(({ kind }) => kind))).size,
    Object.keys(FAULTS).length,
  );
  const churn = new Set(rounds.flatMap((round) => round.churn.map(({ kind }) => kind)));
  assertEquals([...churn].sort(), ["burst", "crash", "create", "delete", "flip", "recreate", "stop"]);
});

Deno.test("Planner strikes nobody twice in a round", () => {
  for (const { faults } of plan(2)) {
    const [first, second] = faults;
    if (first === undefined || second === undefined) continue;
    const same = FAULTS[first.kind].target === FAULTS[second.kind].target;
    assert(!same || (first.node !== second.node && !["api", "router"].includes(FAULTS[first.kind].target)));
  }
});

Deno.test("Planner leaves nodes that are away alone, and plans nothing that needs an API server that is away", () => {
  for (const { faults, churn } of plan(3, { circumstances: { nodes: 2, apiAway: true, away: new Set([1]) } })) {
    assert(churn.every(({ kind, node }) => kind === "crash" && node === 0));
    assert(faults.every(({ kind, node }) => FAULTS[kind].target !== "api" && (node === 0)));
  }
});
