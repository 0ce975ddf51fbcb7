/** From an event at the API server to the first datagram with the new verdict, beside one element added by hand. */
import { pause, until } from "../lab/until.ts";
import { letOut } from "./let_out.ts";
import type { HandTable } from "./policy_by_hand.ts";
import type { PolicyLab } from "./policy_lab.ts";
import type { ProbeTarget } from "./policy_probe.ts";
import { addressesOf, crowdPods, groupOf, LOCAL_PODS, pathOf, PEERS_EACH, policyOf, regroup } from "./policy_world.ts";
import { type SampleBook, shuffled } from "./statistics.ts";

const POLICIES = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies";
/** Of pods that are created: behind all others. */
const FIRST_NEW = 60_000;
/** Of pods that no policy names, until they get a label. */
const FIRST_IDLE = 61_000;
const IDLE = "idle";
const WARM_UP = 3;
/** Until agent, API server and kernel have cleaned up, in milliseconds. */
const SETTLE_MS = 25;
const SETTLE_MANY_MS = 250;
/** That a policy for the probed pod allows from the beginning. */
const ALLOWED = groupOf(0);

export interface EventScene {
  readonly policyLab: PolicyLab;
  /** The first of the node's pods, which is isolated. */
  readonly target: ProbeTarget;
  /** Absent: no floor is measured. */
  readonly byHand?: HandTable;
}

export interface EventRounds {
  readonly book: SampleBook;
  readonly rounds: number;
  /** Of the samples' names: `policy-added`, `policy-removed`, `label-gained`, `label-lost`, `pod-created`. */
  readonly suffix: string;
}

/** Each round has every kind once, in a new order. The first few only warm up. */
export async function measureEvents(scene: EventScene, { book, rounds, suffix }: EventRounds): Promise<void> {
  const idle = Array.from({ length: rounds }, (_, round) => ({ index: FIRST_IDLE + round, group: IDLE }));
  await scene.policyLab.lab.api.fill(crowdPods(idle));
  for (let round = 0; round < rounds; round++) {
    for (const turn of shuffled([measurePolicy, measureLabel, measureCreation, measureFloor], Math.random)) {
      const samples = Object.entries(await turn(scene, round));
      if (round >= WARM_UP) { for (const [name, ms] of samples) book.add(`${name}${suffix}`, ms); }
      await pause(SETTLE_MS);
    }
  }
}

/** Adds `policy-added-many` and `policy-removed-many`: a policy with all of the crowd for peers. */
export async function measureManyPeers(
  { policyLab: { lab }, target }: EventScene,
  { book, rounds }: Pick<EventRounds, "book" | "rounds">,
): Promise<void> {
  const from = addressesOf(PEERS_EACH)[6];
  const add = (): Promise<unknown> => lab.api.apply(policyOf("many", { local: 0 }));
  const remove = (): Promise<unknown> => lab.api.delete(`${POLICIES}/many`);
  for (let round = 0; round < rounds; round++) {
    book.add("policy-added-many", await target.measure({ from, passes: true }, () => letOut(lab, add)));
    await pause(SETTLE_MANY_MS);
    book.add("policy-removed-many", await target.measure({ from, passes: false }, () => letOut(lab, remove)));
    await pause(SETTLE_MANY_MS);
  }
}

/** @returns a Deployment of the crowd from which the probed pod takes nothing */
function strangers(round: number): number {
  return 1 + round % (LOCAL_PODS - 1);
}

type Samples = Readonly<Record<string, number>>;

async function measurePolicy({ policyLab: { lab }, target }: EventScene, round: number): Promise<Samples> {
  const deployment = strangers(round);
  const from = addressesOf(deployment * PEERS_EACH)[6];
  const policy = policyOf("event", { local: 0, group: groupOf(deployment) });
  const added = await target.measure({ from, passes: true }, () => letOut(lab, () => lab.api.apply(policy)));
  const removed = await target.measure(
    { from, passes: false },
    () => letOut(lab, () => lab.api.delete(`${POLICIES}/event`)),
  );
  return { "policy-added": added, "policy-removed": removed };
}

async function measureLabel({ policyLab: { lab }, target }: EventScene, round: number): Promise<Samples> {
  const index = FIRST_IDLE + round;
  const from = addressesOf(index)[6];
  const join = (group: string) => () => letOut(lab, () => lab.api.patch(pathOf(index), regroup(group)));
  const gained = await target.measure({ from, passes: true }, join(ALLOWED));
  const lost = await target.measure({ from, passes: false }, join(IDLE));
  return { "label-gained": gained, "label-lost": lost };
}

async function measureCreation({ policyLab: { lab }, target }: EventScene, round: number): Promise<Samples> {
  const pod = { index: FIRST_NEW + round, group: ALLOWED };
  const from = addressesOf(pod.index)[6];
  const created = await target.measure({ from, passes: true }, () => letOut(lab, () => lab.api.fill(crowdPods([pod]))));
  await lab.api.delete(pathOf(pod.index));
  return { "pod-created": created };
}

async function measureFloor({ byHand }: EventScene, round: number): Promise<Samples> {
  if (byHand === undefined) return {};
  return { "element": await byHand.measureElement(addressesOf(FIRST_NEW + round)[6]) };
}

/** Resolves when a datagram of that pod of the crowd goes through, or none does any more. */
export async function untilFate(
  target: ProbeTarget,
  { index, passes }: { readonly index: number; readonly passes: boolean },
): Promise<void> {
  await until(`datagrams of pod ${index} ${passes ? "go through" : "are dropped"}`, async () => {
    const { through } = await target.count(
      addressesOf(index)[6],
      () => new Promise((resolve) => setTimeout(resolve, 20)),
    );
    return passes === through > 0;
  }, { timeoutMs: 30_000 });
}
