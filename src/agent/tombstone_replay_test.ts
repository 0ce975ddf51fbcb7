import { assertEquals } from "@std/assert";
import { type Fixture, openFixture, replayOf, request, restart } from "./_agent_fixture.ts";

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

Deno.test("a restart does the DEL of a note whose record was put back, because the kernel had kept its link", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD"));
  const notes = [{ containerId: "c1", ifname: "eth0", at: fixture.clock.now + 10 }];
  fixture.kernel.keeps = true;
  await replayOf(fixture, notes).replay();
  fixture.kernel.keeps = false;
  const again = await restart(fixture, { tombstones: notes });
  assertEquals([again.ledger.all().length, fixture.kernel.links.size, notes.length], [0, 0, 0]);
});

Deno.test("a restart keeps what was added after the DEL of a note that waited for the disk, though the wall clock was set back", async () => {
  const notes = [{ containerId: "c1", ifname: "eth0", at: 1_000_000 }];
  let full = true;
  await using fixture = await openFixture({
    files: (real) => ({
      ...real,
      create: (path, content) => full ? Promise.reject(new Error("No space left")) : real.create(path, content),
    }),
  });
  await replayOf(fixture, notes).replay();
  assertEquals(notes.length, 1);
  full = false;
  fixture.clock.now += 10;
  await fixture.service.handle(request(fixture, "ADD"));
  fixture.clock.skew = -86_400_000;
  const again = await restart(fixture, { tombstones: notes });
  assertEquals([again.ledger.all().length, fixture.kernel.links.size, notes.length], [1, 1, 0]);
});
