/** How every schedule ends: the world comes to rest, and then all must hold that nothing under way can excuse. */
import { assert, assertEquals } from "@std/assert";
import { hostLinkName } from "../../src/hash/container_hash.ts";
import type { Rig } from "./rig.ts";
import { type Drift, DRIFTS } from "./step.ts";

/** What failed is tried again by then, and all that follows from it is done. */
const RETRIES_MS = [60_001, 1_001, 1_001, 2_001];
/** Whatever was altered is back within 2 s: some looks, each with time for what it leads to. */
const BACK_MS = [600, 300, 700, 400];
const GRACE_MS = 60_000;
const CONFIRM_MS = 10_000;
/** A sweep takes a while. */
const SOME_MS = 1_000;
/** The containers that only the end of a schedule has; no schedule has so many that it could mean them. */
const LAST_POD = 1_001;

/** @throws AssertionError */
export async function finish(rig: Rig): Promise<void> {
  await comeToRest(rig);
  await verifyRestart(rig);
  await verifyRepairs(rig);
  await verifyCheck(rig);
  await verifyGcVerb(rig);
  await verifyOwnCollection(rig);
  await verifyEmpty(rig);
  await verifyService(rig);
}

/** Ends whatever is under way, with nothing failing any more. */
async function comeToRest(rig: Rig): Promise<void> {
  const { world, model } = rig;
  world.disk.refuse(undefined);
  if (world.life?.failure !== undefined) await rig.play({ do: "kill", happened: 0 });
  if (world.life === undefined) rig.start();
  await rig.drain();
  await makeReady(rig);
  deleteFailed(rig);
  await rig.drain();
  await waitFor(rig, RETRIES_MS);
  const look = await rig.look();
  model.verifyMended(look); // without a tick: whoever watches has heard of everything
  model.verifyNoGrantTooMany(look);
  await verifyQuiet(rig);
}

/** What nobody could write down of the NodeConfig, a restart has forgotten. */
async function makeReady(rig: Rig): Promise<void> {
  if (rig.world.life?.node?.reconciler.ready !== true) await rig.play({ do: "configure", which: 1 });
  await rig.drain();
}

/** Runtimes delete what they could not add; every other one here is forgotten, as those do that crash. */
function deleteFailed(rig: Rig): void {
  for (const { id, live, gone, netns } of rig.model.containers) {
    if (live === undefined && !gone && netns && numberOf(id) % 2 === 0) rig.del(id);
  }
}

async function verifyQuiet(rig: Rig): Promise<void> {
  await settleAfter(rig, "drift");
  await settleAfter(rig, "collect");
  rig.model.verifyQuiet(await rig.look(), rig.durable());
}

/** What was answered survives a crash at rest. */
async function verifyRestart(rig: Rig): Promise<void> {
  await rig.play({ do: "kill", happened: 0 });
  await rig.play({ do: "start" });
  await rig.drain();
  await verifyQuiet(rig);
  rig.model.verifyNothingPending(await rig.look());
  await makeReady(rig);
}

/** Of each container, and of the node, something else is altered, and nobody is told but those who watch. */
async function verifyRepairs(rig: Rig): Promise<void> {
  const turn = rig.beginning.seed % DRIFTS.length;
  for (const [index, { id, held }] of relied(rig).entries()) {
    const what = DRIFTS[(turn + index) % DRIFTS.length] ?? "route";
    await alter(rig, id, held && what === "link" ? "route" : what);
  }
  await alter(rig, `c${LAST_POD}`, turn % 2 === 0 ? "blackhole" : "forwarding");
  await waitFor(rig, BACK_MS);
  const look = await rig.look();
  rig.model.verifyMended(look);
  rig.model.verifyNoGrantTooMany(look);
}

/** CHECK finds what a pod did to its own end, a repeated ADD mends it, with the same answer, and CHECK passes. */
async function verifyCheck(rig: Rig): Promise<void> {
  const [one] = relied(rig).filter(({ netns }) => netns);
  if (one === undefined) return;
  await alter(rig, one.id, "pod end");
  rig.check(one.id);
  await rig.verify();
  await rig.drain();
  const { live } = one;
  await rig.add(one.id);
  await rig.drain();
  assertEquals(rig.model.container(one.id).live, live, `a repeated ADD of ${one.id}`);
  rig.check(one.id);
  await rig.verify();
  await rig.drain();
}

/** What the runtime has forgotten is gone after its GC, and whatever else it has never known; all that it knows is as it was. */
async function verifyGcVerb(rig: Rig): Promise<void> {
  const known = relied(rig).map(({ id }) => id);
  const kept = known.filter((_, index) => index % 4 !== 1);
  await rig.play({ do: "wait", ms: GRACE_MS });
  if (kept.length > 0) rig.collectAllBut(rig.model.containers.map(({ id }) => id).filter((id) => !kept.includes(id)));
  await rig.drain();
  if (kept.length > 0) await verifyLeft(rig, kept);
}

/** Of what is left a third is dead, a third has only lost its path, and a third only its link: the dead go, once they were seen twice. */
async function verifyOwnCollection(rig: Rig): Promise<void> {
  const known = relied(rig);
  const fates = Map.groupBy(known, (_, index) => (["vanish", "unname", "link"] as const)[index % 3] ?? "link");
  const ids = (fate: "vanish" | "unname" | "link"): string[] => fates.get(fate)?.map(({ id }) => id) ?? [];
  await collect(rig, [0, CONFIRM_MS]); // those that died before
  for (const id of ids("vanish")) await rig.play({ do: "vanish", pod: numberOf(id) });
  for (const id of ids("unname")) await rig.play({ do: "unname", pod: numberOf(id) });
  for (const { id, held } of fates.get("link") ?? []) await alter(rig, id, held ? "route" : "link");
  await waitFor(rig, BACK_MS);
  const before = recorded(await rig.look());
  await collect(rig, [0, CONFIRM_MS - SOME_MS]);
  assertEquals(recorded(await rig.look()), before, "a death that was seen only a moment ago");
  await collect(rig, [SOME_MS]);
  const dead = new Set(ids("vanish"));
  assertEquals(recorded(await rig.look()), before.filter((id) => !dead.has(id)), "the dead, and nobody else, are gone");
  rig.model.verifyMended(await rig.look());
}

/** What nobody ever deletes is found, once its sandbox is gone. */
async function verifyEmpty(rig: Rig): Promise<void> {
  for (const { id } of rig.model.containers) await rig.play({ do: "vanish", pod: numberOf(id) });
  await collect(rig, [SOME_MS, CONFIRM_MS]);
  await settleAfter(rig, "drift");
  await verifyLeft(rig, []);
}

/** After all that a pod can be had. */
async function verifyService(rig: Rig): Promise<void> {
  await makeReady(rig);
  const id = `c${LAST_POD}`;
  await rig.add(id);
  await rig.drain();
  assert(rig.model.container(id).live !== undefined, "an empty node takes no pod");
  if (rig.beginning.seed % 4 === 0) return await verifyYoungDeath(rig, id);
  rig.del(id);
  await rig.drain();
  await verifyLeft(rig, []);
}

/** A sandbox that dies young: nobody believes it before its time. */
async function verifyYoungDeath(rig: Rig, id: string): Promise<void> {
  await rig.vanish(id);
  await collect(rig, [0, GRACE_MS / 2, GRACE_MS / 2 - SOME_MS]);
  assertEquals(recorded(await rig.look()), [id], "a pod that may still be on its way");
  await collect(rig, [SOME_MS, CONFIRM_MS]);
  await verifyLeft(rig, []);
}

/** Exactly these have records, links and grants. */
async function verifyLeft(rig: Rig, ids: readonly string[]): Promise<void> {
  const look = await rig.look();
  const { ledger = [], links, grants } = look;
  const wanted = [...ids].sort();
  assertEquals(recorded(look), wanted, "what is recorded");
  assertEquals([...links.keys()].sort(), wanted.map(hostLinkName).sort(), "what has links");
  const granted = new Set(Array.from(grants ?? [], (grant) => grant.split(" ")[0]));
  assertEquals([...granted].sort(), ledger.map(({ hostLink }) => hostLink).sort(), "what may send");
  rig.model.verifyMended(look);
}

function recorded({ ledger = [] }: Awaited<ReturnType<Rig["look"]>>): string[] {
  return ledger.map(({ containerId }) => containerId).sort();
}

/** Those on which their runtime relies. */
function relied({ model }: Rig): ReturnType<Rig["model"]["container"]>[] {
  return model.containers.filter(({ live }) => live !== undefined);
}

async function alter(rig: Rig, id: string, what: Drift): Promise<void> {
  await rig.alter(id, what);
  await rig.verify();
}

async function waitFor(rig: Rig, times: readonly number[]): Promise<void> {
  for (const ms of times) {
    await rig.play({ do: "wait", ms });
    await rig.drain();
  }
}

/** A sweep after each of these times. */
async function collect(rig: Rig, times: readonly number[]): Promise<void> {
  for (const ms of times) {
    await rig.play({ do: "wait", ms });
    await settleAfter(rig, "collect");
  }
}

async function settleAfter(rig: Rig, what: "drift" | "collect"): Promise<void> {
  await rig.play({ do: "tick", what });
  await rig.drain();
}

function numberOf(id: string): number {
  return Number(id.slice(1));
}
