import { assertEquals } from "@std/assert";
import { type Fixture, openFixture, replayOf, request } from "./_agent_fixture.ts";

/** Adds container c1, lets time pass, and catches up with a DEL of it. @returns what is left of container and notes */
async function catchUp(
  fixture: Fixture,
  deletedAfterMs: number,
  startedAt = fixture.clock.wall(),
): Promise<[allocations: number, notes: number]> {
  await fixture.service.handle(request(fixture, "ADD", { startedAt }));
  const notes = [{ containerId: "c1", ifname: "eth0", at: fixture.clock.now + deletedAfterMs }];
  await replayOf(fixture, notes).catchUp();
  return [fixture.ledger.all().length, notes.length];
}

Deno.test("catchUp() does a DEL that was refused just before the agent listened (T-REL-05)", async () => {
  await using fixture = await openFixture();
  assertEquals(await catchUp(fixture, 10), [0, 0]);
  assertEquals(fixture.kernel.links.size, 0);
});

Deno.test("catchUp() keeps what was added after that DEL, and forgets the note", async () => {
  await using fixture = await openFixture();
  assertEquals(await catchUp(fixture, -10), [1, 0]);
  assertEquals(fixture.kernel.links.size, 1);
});

Deno.test("catchUp() does a DEL that is older than the record and younger than the start of its ADD's plugin", async () => {
  await using fixture = await openFixture();
  assertEquals(await catchUp(fixture, -10, fixture.clock.wall() - 20), [0, 0]);
});

Deno.test("catchUp() keeps the note of a DEL that failed", async () => {
  await using fixture = await openFixture();
  fixture.kernel.keeps = true;
  assertEquals(await catchUp(fixture, 10), [1, 1]);
});
