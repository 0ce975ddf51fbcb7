/** The agent dies at every step of a call, and amid thousands of calls. */
import { assert, assertEquals } from "@std/assert";
import { MemoryFiles } from "../store/_memory_files.ts";
import { addressesOf } from "./allocation_addresses.ts";
import { CONFIG, type Fixture, openFixture, prefix, request, restart } from "./_agent_fixture.ts";
import { type Host, Life, mortalFiles, MortalKernel } from "./_mortal.ts";

const OPERATIONS = 10_000;
const DEATHS_EVERY = 100;
const CONTAINERS = 16;

interface World extends AsyncDisposable {
  readonly host: Host;
  fixture: Fixture;
  /** The agent's next life. */
  revive(): Promise<void>;
  /** @returns whether the call was answered before the agent died */
  call(verb: "ADD" | "DEL", id: string): Promise<boolean>;
}

async function openWorld(): Promise<World> {
  const host = { life: new Life() };
  const files = mortalFiles(new MemoryFiles(), host);
  const first = await openFixture({ files: () => files, kernel: new MortalKernel(host) });
  first.config = { ...CONFIG, cidr4: [prefix("203.0.113.0/27")] };
  const world: World = {
    host,
    fixture: first,
    revive: async () => {
      host.life = new Life();
      world.fixture = await restart(world.fixture, { files: () => files });
    },
    call: (verb, id) => {
      const answered = world.fixture.service.handle(request(world.fixture, verb, { id })).then(() => true);
      return Promise.race([answered, host.life.ended.then(() => false)]);
    },
    [Symbol.asyncDispose]: () => first[Symbol.asyncDispose](),
  };
  return world;
}

/** State and kernel have these containers and no others, and no address twice. */
function expectExactly({ fixture }: World, ids: readonly string[], context: string): void {
  const { ledger, kernel } = fixture;
  const committed = ledger.all().map(({ containerId, state }) => `${containerId} ${state}`).sort();
  assertEquals(committed, ids.map((id) => `${id} committed`).sort(), context);
  assertEquals([...kernel.links.values()].map(({ containerId }) => containerId).sort(), [...ids].sort(), context);
  const addresses = ledger.all().flatMap(addressesOf).map(({ text }) => text);
  assertEquals(new Set(addresses).size, addresses.length, context);
}

for (const verb of ["ADD", "DEL"] as const) {
  for (const done of [false, true]) {
    const when = done ? "after" : "before";
    Deno.test(`an agent that dies ${when} any step of ${verb} leaks nothing and gives nothing twice (T-REL-02)`, async () => {
      let reached = true;
      for (let step = 0; reached; step++) {
        await using world = await openWorld();
        await world.call("ADD", "stays");
        if (verb === "DEL") await world.call("ADD", "c1");
        world.host.life = new Life({ step, done });
        const answered = await world.call(verb, "c1");
        reached = world.host.life.steps > step;
        await world.revive();
        const context = `${verb}, step ${step}`;
        if (answered) expectExactly(world, verb === "ADD" ? ["stays", "c1"] : ["stays"], context);
        await world.call("DEL", "c1");
        await world.call("ADD", "c2");
        expectExactly(world, ["stays", "c2"], context);
        assert(step < 50, "the call has no end");
      }
    });
  }
}

Deno.test("10 000 ADDs and DELs amid which the agent dies a hundred times, the API server away, give no address twice (T-REL-01)", async () => {
  await using world = await openWorld();
  const random = seeded(1);
  const live = new Set<string>();
  let serial = 0;
  for (let operation = 0; operation < OPERATIONS; operation++) {
    world.fixture.kube.failure = new Error("frozen");
    world.fixture.clock.now += random(6000);
    if (operation % DEATHS_EVERY === 0) await dieAmid(world, { live, random, ids: [`${serial++}`, `${serial++}`] });
    const [oldest] = live;
    const gone = oldest !== undefined && (live.size === CONTAINERS || random(2) === 0) ? oldest : undefined;
    const id = gone ?? `${serial++}`;
    assert(await world.call(gone === undefined ? "ADD" : "DEL", id));
    gone === undefined ? live.add(id) : live.delete(id);
    if (operation % 25 === 0) expectExactly(world, [...live], `operation ${operation}`);
  }
});

/** Two ADDs and a DEL at once, of which the agent answers as many as it may; the runtime deletes what was not answered. */
async function dieAmid(
  world: World,
  { live, random, ids }: { live: Set<string>; random: (below: number) => number; ids: readonly string[] },
): Promise<void> {
  const [leaving] = live;
  world.host.life = new Life({ step: random(20), done: random(2) === 0 });
  const added = ids.map(async (id) => ({ id, answered: await world.call("ADD", id) }));
  if (leaving !== undefined) void world.call("DEL", leaving);
  const outcomes = await Promise.all(added);
  await world.revive();
  for (const { id, answered } of outcomes) answered ? live.add(id) : await world.call("DEL", id);
  if (leaving === undefined) return;
  await world.call("DEL", leaving);
  live.delete(leaving);
}

/** @returns a repeatable source of whole numbers below the given one (mulberry32) */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
