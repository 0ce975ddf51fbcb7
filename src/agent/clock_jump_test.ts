/** What a wall clock that somebody sets does to addresses and deletions: nothing. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { CniError } from "../cnispec/cni_error.ts";
import { type Fixture, openFixture, request, restart } from "./_agent_fixture.ts";
import { TOMBSTONE_MS } from "./deletion_memory.ts";
import { PATIENCE } from "./garbage_collector.ts";

const DAY_MS = 86_400_000;
const JUMPS: readonly [string, number][] = [["ten years ahead", 3650 * DAY_MS], ["a day back", -DAY_MS], [
  "an hour ahead",
  DAY_MS / 24,
]];

/** What a runtime leaves that takes a namespace down: the veth goes with it. */
function vanish({ kernel, ledger }: Fixture, id: string): void {
  kernel.namespaces.delete(`/run/netns/${id}`);
  kernel.links.delete(ledger.get(`${id}/eth0`)?.hostLink ?? "");
}

for (const [title, jump] of JUMPS) {
  Deno.test(`a clock set ${title} lets no late ADD through, and keeps no container from coming back`, async () => {
    await using fixture = await openFixture();
    const startedAt = fixture.clock.wall();
    fixture.clock.now += 100;
    await fixture.service.handle(request(fixture, "DEL"));
    fixture.clock.skew = jump;
    fixture.clock.now += 100;
    await assertRejects(() => fixture.service.handle(request(fixture, "ADD", { startedAt })), CniError, "deleted");
    await fixture.service.handle(request(fixture, "ADD"));
    assertEquals(fixture.ledger.all().length, 1);
  });

  Deno.test(`a clock set ${title} while an ADD is under way lets its DEL win`, async () => {
    await using fixture = await openFixture();
    const gate = Promise.withResolvers<void>();
    fixture.kernel.hold = gate.promise;
    const late = assertRejects(() => fixture.service.handle(request(fixture, "ADD")), CniError, "deleted");
    while (fixture.kernel.attaches === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    fixture.clock.now += 100;
    fixture.clock.skew = jump;
    const del = fixture.service.handle(request(fixture, "DEL"));
    gate.resolve();
    await Promise.all([late, del]);
    assertEquals([fixture.ledger.all().length, fixture.kernel.links.size], [0, 0]);
  });

  Deno.test(`a clock set ${title} neither hurries nor delays the collector`, async () => {
    await using fixture = await openFixture();
    await fixture.service.handle(request(fixture, "ADD"));
    vanish(fixture, "c1");
    fixture.clock.skew = jump;
    for (let past = 0; past < PATIENCE.graceMs + PATIENCE.confirmMs; past += PATIENCE.confirmMs) {
      await fixture.collector.sweep();
      assertEquals(fixture.ledger.all().length, 1, `freed after ${past} ms`);
      fixture.clock.now += PATIENCE.confirmMs;
    }
    await fixture.collector.sweep();
    assertEquals(fixture.ledger.all(), []);
  });
}

for (const [title, jump] of JUMPS.slice(0, 2)) {
  Deno.test(`a clock set ${title} between two lives of the agent ends no rest and forgets no deletion`, async () => {
    await using fixture = await openFixture();
    const startedAt = fixture.clock.wall();
    fixture.clock.now += 1;
    await fixture.service.handle(request(fixture, "ADD", { id: "a" }));
    const [freed] = fixture.ledger.all();
    for (const id of ["a", "b"]) await fixture.service.handle(request(fixture, "DEL", { id }));
    await fixture.ledger.flush();
    fixture.clock.skew = jump;
    fixture.clock.now += 1000;
    const again = await restart(fixture);
    await assertRejects(() => again.service.handle(request(again, "ADD", { id: "b", startedAt })), CniError, "deleted");
    again.clock.now += 1;
    for (const id of ["b", "c", "d", "e"]) await again.service.handle(request(again, "ADD", { id }));
    assert(!again.ledger.all().some(({ ipv4, ipv6 }) => ipv4 === freed?.ipv4 || ipv6 === freed?.ipv6));
  });

  Deno.test(`a clock set ${title} between two lives of the agent makes every record one of just now`, async () => {
    await using fixture = await openFixture();
    await fixture.service.handle(request(fixture, "ADD"));
    vanish(fixture, "c1");
    fixture.clock.skew = jump;
    const again = await restart(fixture);
    again.clock.now += PATIENCE.graceMs - 1;
    await again.collector.sweep();
    again.clock.now += PATIENCE.confirmMs;
    await again.collector.sweep();
    assertEquals(again.ledger.all().length, 1);
    again.clock.now += PATIENCE.confirmMs;
    await again.collector.sweep();
    assertEquals(again.ledger.all(), []);
  });
}

Deno.test("a deletion is forgotten after five minutes, on disk too", async () => {
  await using fixture = await openFixture();
  const startedAt = fixture.clock.wall();
  await fixture.service.handle(request(fixture, "DEL"));
  fixture.clock.now += TOMBSTONE_MS;
  await fixture.service.handle(request(fixture, "ADD", { startedAt }));
  const text = await Deno.readTextFile(`${fixture.directory}/allocations.json`);
  assertEquals(JSON.parse(text).tombstones, []);
});
