import { assert, assertEquals, assertObjectMatch, assertRejects } from "@std/assert";
import { CniError } from "../cnispec/cni_error.ts";
import { parseAddress } from "../ip/address.ts";
import { openFixture, prefix, request, restart } from "./_agent_fixture.ts";
import { PATIENCE } from "./garbage_collector.ts";

Deno.test("recover() takes committed allocations back and grants their sources", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD"));
  const again = await restart(fixture);
  assertEquals(again.ledger.all(), fixture.ledger.all());
  assertEquals(again.guard.grants?.size, 2);
});

Deno.test("recover() guards where the cluster's pods were last known to be when the tables are gone", async () => {
  await using fixture = await openFixture();
  const prefixes = [prefix("203.0.113.64/26"), prefix("2001:db8:f002::/64")];
  assertEquals((await restart(fixture, { prefixes })).guard.podPrefixes, prefixes);
});

Deno.test("recover() cleans up what was pending when the agent died (T-REL-02)", async () => {
  await using fixture = await openFixture();
  fixture.kernel.hold = new Promise(() => {});
  void fixture.service.handle(request(fixture, "ADD"));
  while (fixture.kernel.attaches === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  fixture.kernel.hold = undefined;
  assertEquals(fixture.ledger.all().map(({ state }) => state), ["pending"]);
  const again = await restart(fixture);
  assertEquals([again.ledger.all().length, again.kernel.links.size], [0, 0]);
});

for (const damage of ["", "\0\0\0\0", '{"version":1,"allo', "null", "[]", "\uFEFF{}"]) {
  Deno.test(`recover() rebuilds from the kernel when the file holds ${JSON.stringify(damage)} (T-REL-08)`, async () => {
    await using fixture = await openFixture();
    await fixture.service.handle(request(fixture, "ADD"));
    const [before] = fixture.ledger.all();
    await Deno.writeTextFile(`${fixture.directory}/allocations.json`, damage);
    const again = await restart(fixture);
    assertEquals(again.origin.found, "damaged");
    assertEquals(again.ledger.all().map(({ containerId, ipv4, ipv6 }) => ({ containerId, ipv4, ipv6 })), [
      { containerId: "c1", ipv4: before?.ipv4, ipv6: before?.ipv6 },
    ]);
    const aside = [...Deno.readDirSync(fixture.directory)].filter(({ name }) => name.includes(".corrupt-"));
    assertEquals(aside.length, 1);
  });
}

Deno.test("recover() rebuilds from the kernel when the file is gone, and no address is given twice (T-REL-09)", async () => {
  await using fixture = await openFixture();
  for (const id of ["a", "b", "c"]) await fixture.service.handle(request(fixture, "ADD", { id }));
  await Deno.remove(`${fixture.directory}/allocations.json`);
  const again = await restart(fixture);
  for (const id of ["d", "e"]) await again.service.handle(request(again, "ADD", { id }));
  assertEquals(new Set(again.ledger.all().map(({ ipv4 }) => ipv4)).size, 5);
});

Deno.test("recover() takes what the kernel leads to a pod for its anycast addresses when all files are gone, and for Ready", async () => {
  await using fixture = await openFixture();
  for (const id of ["a", "b"]) await fixture.service.handle(request(fixture, "ADD", { id }));
  for (const name of [".prev", ""]) await Deno.remove(`${fixture.directory}/allocations.json${name}`);
  const served = ["192.0.2.53", "203.0.113.6"].flatMap((text) => parseAddress(text) ?? []);
  const again = await restart(fixture, { served });
  const held = again.ledger.all().map(({ containerId, anycast, ready }) => [containerId, anycast?.join(), ready]);
  assertEquals(held.sort(), ["a", "b"].map((id) => [id, "192.0.2.53,203.0.113.6", true]));
  for (const id of ["c", "d"]) await again.service.handle(request(again, "ADD", { id }));
  await assertRejects(() => again.service.handle(request(again, "ADD", { id: "e" })), CniError, "203.0.113.0/29");
  for (const id of ["a", "b", "c"]) await again.service.handle(request(again, "DEL", { id }));
  again.clock.now += 30_000;
  for (const id of ["e", "f", "g", "h"]) await again.service.handle(request(again, "ADD", { id }));
  assert(again.ledger.all().some(({ ipv4 }) => ipv4 === "203.0.113.6"));
});

Deno.test("recover() keeps an answered ADD that the write before the last calls pending", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD"));
  await Deno.writeTextFile(`${fixture.directory}/allocations.json`, "{");
  const again = await restart(fixture);
  assertObjectMatch(again.origin, { found: "damaged", rebuiltFrom: "previous" });
  assertEquals(again.ledger.all(), fixture.ledger.all());
  assertEquals(again.kernel.links.size, 1);
});

Deno.test("recover() cleans up an ADD that the write before the last calls pending when the kernel has nothing of it", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD"));
  await Deno.writeTextFile(`${fixture.directory}/allocations.json`, "{");
  fixture.kernel.links.clear();
  assertEquals((await restart(fixture)).ledger.all(), []);
});

Deno.test("recover() believes a link more than the write before the last: an address has moved on since", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD", { id: "old" }));
  await fixture.service.handle(request(fixture, "ADD", { id: "other" }));
  const [old] = fixture.kernel.links.values();
  assert(old !== undefined);
  await fixture.kernel.detach([old.hostLink]);
  await fixture.kernel.attach({ ...old, containerId: "new", hostLink: "flock00000001" });
  await Deno.writeTextFile(`${fixture.directory}/allocations.json`, "{");
  const again = await restart(fixture);
  const held = again.ledger.all().map(({ containerId, ipv4 }) => [containerId, ipv4]);
  assertEquals(held.sort(), [["new", "203.0.113.2"], ["other", "203.0.113.3"]]);
  assertEquals((await restart(fixture)).origin.found, "loaded");
});

Deno.test("recover() gives nobody an address that a link without a readable alias has", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD"));
  const [known] = fixture.kernel.links.values();
  assert(known !== undefined);
  const { hostLink, mtu, addresses } = known;
  fixture.kernel.list = () => Promise.resolve([{ hostLink, mtu, addresses }]);
  for (const name of [".prev", ""]) await Deno.remove(`${fixture.directory}/allocations.json${name}`);
  const again = await restart(fixture);
  for (const id of ["a", "b", "c", "d"]) await again.service.handle(request(again, "ADD", { id }));
  assertEquals(again.ledger.all().some(({ ipv4 }) => ipv4 === "203.0.113.2"), false);
  await assertRejects(() => again.service.handle(request(again, "ADD", { id: "e" })), CniError, "203.0.113.0/29");
});

Deno.test("recover() voids everything after a reboot (T-REL-16)", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD"));
  fixture.kernel.links.clear();
  const again = await restart(fixture, { bootId: "boot-2" });
  assertEquals([again.origin.found, again.ledger.all().length], ["otherBoot", 0]);
});

Deno.test("recover() cuts no pod whose veth is there, whatever the boot id says: /run/flock may have been lost", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD"));
  const [before] = fixture.ledger.all();
  const again = await restart(fixture, { bootId: "boot-2" });
  assertEquals(again.kernel.links.size, 1);
  assertEquals(again.ledger.all().map(({ containerId, ipv4, ipv6 }) => [containerId, ipv4, ipv6]), [
    ["c1", before?.ipv4, before?.ipv6],
  ]);
});

Deno.test("recover() goes on when one thing cannot be put right", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD"));
  fixture.kernel.keeps = true;
  const tombstones = [{ containerId: "c1", ifname: "eth0", at: fixture.clock.now }];
  const again = await restart(fixture, { tombstones });
  assertEquals([again.ledger.all().length, tombstones.length], [1, 1]);
});

Deno.test("recover() goes on, and the agent serves, when a link cannot be mended", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD"));
  fixture.kernel.repair = () => Promise.reject(new Error("Cannot repair: No space left on device"));
  const again = await restart(fixture);
  assertEquals([again.ledger.all(), again.guard.grants?.size], [fixture.ledger.all(), 2]);
  await again.service.handle(request(again, "ADD", { id: "c2" }));
});

Deno.test("recover() replays the DELs that found no agent, and an ADD that began before one of them is late (T-REL-05)", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD"));
  const at = fixture.clock.now + 10;
  fixture.clock.now += 20;
  const tombstones = [{ containerId: "c1", ifname: "eth0", at }, { containerId: "c2", ifname: "eth0", at }];
  const again = await restart(fixture, { tombstones });
  assertEquals([again.ledger.all().length, again.kernel.links.size, tombstones.length], [0, 0, 0]);
  await assertRejects(
    () => again.service.handle(request(again, "ADD", { id: "c2", startedAt: at - 1 })),
    CniError,
    "deleted",
  );
  await again.service.handle(request(again, "ADD", { id: "c2", startedAt: at + 1 }));
});

Deno.test("sweep() frees an allocation whose netns and veth are gone, seen twice, and no other (T-REL-20)", async () => {
  await using fixture = await openFixture();
  for (const id of ["dead", "linked", "named", "alive"]) await fixture.service.handle(request(fixture, "ADD", { id }));
  const linkOf = (id: string): string => fixture.ledger.get(`${id}/eth0`)?.hostLink ?? "";
  fixture.kernel.namespaces.delete("/run/netns/dead");
  fixture.kernel.namespaces.delete("/run/netns/linked");
  fixture.kernel.links.delete(linkOf("dead"));
  fixture.kernel.links.delete(linkOf("named"));
  const ids = async (): Promise<string[]> => {
    await fixture.collector.sweep();
    return fixture.ledger.all().map(({ containerId }) => containerId);
  };
  assertEquals((await ids()).length, 4);
  fixture.clock.now += PATIENCE.confirmMs;
  assertEquals((await ids()).length, 4, "younger than the grace period");
  fixture.clock.now += PATIENCE.graceMs;
  assertEquals((await ids()).length, 4, "seen once");
  fixture.clock.now += PATIENCE.confirmMs - 1;
  assertEquals((await ids()).length, 4, "seen twice, too close together");
  fixture.clock.now += 1;
  assertEquals(await ids(), ["linked", "named", "alive"]);
});

Deno.test("CHECK names what is different, and repairs nothing", async () => {
  await using fixture = await openFixture();
  const prevResult = await fixture.service.handle(request(fixture, "ADD"));
  const check = (previous: unknown): Promise<unknown> =>
    fixture.service.handle(request(fixture, "CHECK", { config: { prevResult: previous } }));
  await check(prevResult);
  const wrong = { ...prevResult as Record<string, unknown>, ips: [{ address: "198.51.100.9/32", interface: 1 }] };
  await assertRejects(() => check(wrong), CniError, "198.51.100.9");
  const { ips } = prevResult as { ips: unknown[] };
  await check({
    ...prevResult as Record<string, unknown>,
    ips: [...ips, { address: "198.51.100.9/32", interface: 1 }],
  }); // a later plugin's
  const { interfaces: [host, end] } = prevResult as { interfaces: [object, object] };
  for (const other of [{ mac: "02:00:00:00:00:01" }, { sandbox: "/run/netns/other" }]) {
    const [said] = Object.values(other);
    const interfaces = [host, { ...end, ...other }];
    await assertRejects(() => check({ ...prevResult as Record<string, unknown>, interfaces }), CniError, `"${said}"`);
  }
  const grants = fixture.guard.grants;
  fixture.guard.grants = new Set();
  await assertRejects(() => check(prevResult), CniError, "flock");
  fixture.guard.grants = undefined;
  await assertRejects(() => check(prevResult), CniError, "table inet flock");
  fixture.guard.grants = grants;
  await check(prevResult);
  fixture.kernel.links.clear();
  await assertRejects(() => check(prevResult), CniError, "link");
  assertEquals(fixture.kernel.links.size, 0);
});

Deno.test("a full disk fails an ADD and undoes it, and lets a DEL through (T-REL-15)", async () => {
  let full = false;
  await using fixture = await openFixture({
    files: (real) => ({
      ...real,
      create: (path, content) =>
        full ? Promise.reject(new Error("No space left on device")) : real.create(path, content),
    }),
  });
  await fixture.service.handle(request(fixture, "ADD", { id: "a" }));
  full = true;
  const error = await assertRejects(() => fixture.service.handle(request(fixture, "ADD", { id: "b" })), CniError);
  assertEquals(error.code, 5);
  assertEquals(fixture.kernel.links.size, 1);
  await fixture.service.handle(request(fixture, "DEL", { id: "a" }));
  assertEquals([fixture.kernel.links.size, fixture.ledger.all().length], [0, 0]);
  full = false;
  await fixture.service.handle(request(fixture, "ADD", { id: "c" }));
  const again = await restart(fixture);
  assertEquals(again.ledger.all().map(({ containerId }) => containerId), ["c"]);
  assert(!again.ledger.all().some(({ state }) => state === "pending"));
});
