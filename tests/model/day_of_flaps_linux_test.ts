/** What takes a day, in seconds: an agent on a clock of the test's. */
import { assert, assertEquals } from "@std/assert";
import { contains, type Prefix } from "../../src/ip/address.ts";
import { addressOf, NODE, READINGS } from "./node_configs.ts";
import { type RunningNode, startNode } from "./running_node.ts";

const DAY_MS = 86_400_000;
const STEP_MS = 20_000;
/** So long after the last flap the router has what it should. */
const QUIET_MS = 40_000;
/** Of what a step brings, in a hundred. */
const CHANCE = { flap: 6, death: 3, pod: 30, config: 1 };
/** Longer than any chain of promises here. */
const HOPS = 150;

/** Calls of one plugin; the outcome does not matter here. */
async function call({ parts, kernel, clock }: RunningNode, verb: "ADD" | "DEL", id: string): Promise<void> {
  const netns = `/run/netns/${id}`;
  if (verb === "ADD") kernel.namespaces.add(netns);
  const environment = { CNI_CONTAINERID: id, CNI_NETNS: netns, CNI_IFNAME: "eth0", CNI_ARGS: "" };
  const config = { cniVersion: "1.1.0", name: "flock", type: "flock" };
  await parts.service.handle({ verb, startedAt: clock.wall(), environment, config }).catch(() => {});
}

/** What the router should have: the node's own prefixes, and each live address that is outside them. */
function desired({ parts }: RunningNode): string[] {
  const { cidr6 = [], cidr4 = [] } = parts.reconciler.config ?? {};
  const own: readonly Prefix[] = [...cidr6, ...cidr4];
  const live = parts.ledger.all().flatMap(({ ipv6, ipv4 }) => [ipv6, ipv4]).filter((text) => text !== undefined);
  const outside = live.filter((text) => !own.some((prefix) => contains(prefix, addressOf(text))));
  const hosts = outside.map((text) => `${text}/${text.includes(":") ? 128 : 32}`);
  return [...own.map(({ text }) => text), ...hosts].sort();
}

async function settle(): Promise<void> {
  for (let hop = 0; hop < HOPS; hop++) await undefined;
}

Deno.test("over a day of flaps, restarts and changes the router has what is desired at each sample (T-BGP-07)", async () => {
  const node = await startNode();
  const { bird, clock, readings } = node;
  const random = randomOf(20_260);
  const set = (which: number): void => {
    const reading = READINGS[which];
    if (reading !== undefined) readings.set(NODE, reading);
    node.configChanged();
  };
  set(1);
  let [samples, changedAt, flaps] = [0, 0, 0];
  for (let at = 0; at < DAY_MS; at += STEP_MS) {
    clock.pass(STEP_MS);
    await settle();
    if (bird.isUp && at - changedAt >= QUIET_MS) {
      samples++;
      assertEquals(bird.rib, desired(node), `after ${at / 1000} s and ${flaps} flaps`);
    }
    const [dice, kept] = [random(100), random(2) === 0];
    if (dice < CHANCE.flap + CHANCE.death) [changedAt, flaps] = [at, flaps + 1];
    if (dice < CHANCE.flap) bird.flap(!bird.isUp);
    else if (dice < CHANCE.flap + CHANCE.death) bird.isUp ? bird.die() : bird.start(kept);
    if (random(100) < CHANCE.pod) await call(node, random(2) === 0 ? "ADD" : "DEL", `c${random(8)}`);
    if (random(100) < CHANCE.config) set(random(5));
    if (!bird.isUp && at - changedAt > 60_000) {
      bird.start(kept);
      bird.flap(true);
      changedAt = at;
    }
  }
  node.stop.abort();
  clock.pass(STEP_MS);
  await settle();
  assert(samples > 500 && flaps > 150, `${samples} samples, ${flaps} flaps`);
});

function randomOf(seed: number): (below: number) => number {
  let state = BigInt(seed);
  return (below) => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
    return Number((state >> 33n) % BigInt(below));
  };
}
