import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CniError } from "../cnispec/cni_error.ts";
import { MemoryKernel } from "../../tests/fakes/memory_kernel.ts";
import { type Fixture, openFixture, request, restart } from "./_agent_fixture.ts";
import { PATIENCE } from "./garbage_collector.ts";

const NEITHER: readonly unknown[] = [null, []];

function named(...ids: readonly string[]): unknown {
  return ids.map((containerID) => ({ containerID, ifname: "eth0" }));
}

async function addAll(fixture: Fixture, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) await fixture.service.handle(request(fixture, "ADD", { id }));
  fixture.clock.now += PATIENCE.graceMs;
}

function gc(fixture: Fixture, list: unknown, config: Record<string, unknown> = {}): Promise<unknown> {
  return fixture.service.handle(request(fixture, "GC", { config: { "cni.dev/valid-attachments": list, ...config } }));
}

function ids({ ledger }: Fixture): string[] {
  return ledger.all().map(({ containerId }) => containerId);
}

/** What a runtime leaves that takes a namespace down: the veth goes with it. */
function vanish({ kernel, ledger }: Fixture, id: string): void {
  kernel.namespaces.delete(`/run/netns/${id}`);
  kernel.links.delete(ledger.get(`${id}/eth0`)?.hostLink ?? "");
}

Deno.test("GC frees what the runtime's list lacks", async () => {
  await using fixture = await openFixture();
  await addAll(fixture, "a", "b", "c");
  await gc(fixture, named("a", "b", "a", "unknown"));
  assertEquals([ids(fixture), fixture.kernel.links.size], [["a", "b"], 2]);
});

Deno.test("GC without a list is refused, and frees nothing", async () => {
  await using fixture = await openFixture();
  await addAll(fixture, "a");
  vanish(fixture, "a");
  const error = await assertRejects(() => fixture.service.handle(request(fixture, "GC")), CniError);
  assertEquals([error.code, ids(fixture)], [7, ["a"]]);
});

Deno.test("GC with null, an empty list or one of nothing but nonsense frees only what has neither netns nor veth", async () => {
  for (const list of [...NEITHER, [7, {}, { containerID: "../x" }]]) {
    await using fixture = await openFixture();
    await addAll(fixture, "a", "b", "c");
    await gc(fixture, list);
    assertEquals(ids(fixture), ["a", "b", "c"]);
    fixture.kernel.namespaces.delete("/run/netns/a");
    fixture.kernel.links.delete(fixture.ledger.get("b/eth0")?.hostLink ?? "");
    vanish(fixture, "c");
    await gc(fixture, list);
    assertEquals(ids(fixture), ["a", "b"]);
  }
});

Deno.test("GC keeps what came after the runtime made its list, and what a clock that went back makes younger than nothing", async () => {
  await using fixture = await openFixture();
  await addAll(fixture, "old");
  await fixture.service.handle(request(fixture, "ADD", { id: "young" }));
  await gc(fixture, named("other"));
  assertEquals(ids(fixture), ["young"]);
  fixture.clock.now -= 10 * PATIENCE.graceMs;
  await gc(fixture, named("other"));
  assertEquals(ids(fixture), ["young"]);
});

Deno.test("GC of one network frees nothing of another", async () => {
  await using fixture = await openFixture();
  await addAll(fixture, "a");
  for (const list of [named("b"), null]) await gc(fixture, list, { name: "another" });
  assertEquals(ids(fixture), ["a"]);
});

Deno.test("GC keeps an ADD that is under way, however long it takes (T-CNI-23)", async () => {
  await using fixture = await openFixture();
  await addAll(fixture, "kept");
  const held = Promise.withResolvers<void>();
  fixture.kernel.hold = held.promise;
  const adding = fixture.service.handle(request(fixture, "ADD", { id: "slow" }));
  while (fixture.kernel.attaches < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  fixture.clock.now += PATIENCE.graceMs;
  const pending = fixture.ledger.get("slow/eth0");
  assertEquals(pending?.state, "pending");
  for (const list of [named("kept"), ...NEITHER]) await gc(fixture, list);
  await fixture.collector.sweep();
  fixture.clock.now += PATIENCE.confirmMs;
  await fixture.collector.sweep();
  assertEquals(fixture.ledger.get("slow/eth0"), pending);
  held.resolve();
  await adding;
  assertEquals([ids(fixture), fixture.kernel.links.size], [["kept", "slow"], 2]);
});

for (
  const [title, ahead] of [["a moment ahead of", 1], ["an hour ahead of", 3_600_000], [
    "an hour behind",
    -3_600_000,
  ]] as const
) {
  Deno.test(`GC counts an allocation's age from when it was recorded, also if its plugin's clock is ${title} the agent's`, async () => {
    await using fixture = await openFixture();
    const startedAt = fixture.clock.wall() + ahead;
    await fixture.service.handle(request(fixture, "ADD", { startedAt }));
    for (const each of [fixture, await restart(fixture)]) {
      await gc(each, named("other"));
      assertEquals(ids(each), ["c1"]);
    }
  });
}

Deno.test("GC frees what was rebuilt from the kernel, for the link knows its network", async () => {
  await using fixture = await openFixture();
  await addAll(fixture, "a", "b");
  for (const name of [".prev", ""]) await Deno.remove(`${fixture.directory}/allocations.json${name}`);
  const again = await restart(fixture);
  again.clock.now += PATIENCE.graceMs;
  await gc(again, named("b"), { name: "another" });
  assertEquals(ids(again), ["a", "b"]);
  await gc(again, named("b"));
  assertEquals(ids(again), ["b"]);
});

Deno.test("sweep() goes on over what the kernel keeps, and what cannot be judged", async () => {
  const kernel = new MemoryKernel();
  await using fixture = await openFixture({ kernel });
  await addAll(fixture, "a", "b", "c");
  for (const id of ["a", "b", "c"]) vanish(fixture, id);
  const [stuck, hidden] = ["a", "b"].map((id) => fixture.ledger.get(`${id}/eth0`));
  const detach = kernel.detach.bind(kernel);
  kernel.detach = (links) =>
    links.includes(stuck?.hostLink ?? "") ? Promise.reject(new Error("the kernel keeps it")) : detach(links);
  kernel.netnsGone = ({ netns }) => {
    if (netns === hidden?.netns) throw new Deno.errors.NotCapable("no read access");
    return !kernel.namespaces.has(netns);
  };
  await fixture.collector.sweep();
  fixture.clock.now += PATIENCE.confirmMs;
  await fixture.collector.sweep();
  assertEquals(ids(fixture).sort(), ["a", "b"]);
});

Deno.test("GC goes on over what the kernel keeps, and names it at the end", async () => {
  await using fixture = await openFixture();
  await addAll(fixture, "a", "b", "c");
  const stuck = fixture.ledger.get("a/eth0")?.hostLink ?? "";
  const detach = fixture.kernel.detach.bind(fixture.kernel);
  fixture.kernel.detach = (links) =>
    links.includes(stuck) ? Promise.reject(new Error("the kernel keeps it")) : detach(links);
  const error = await assertRejects(() => gc(fixture, named("c")), CniError);
  assertEquals([error.code, ids(fixture).sort()], [111, ["a", "c"]]);
  assertStringIncludes(error.message, "a: Error: the kernel keeps it");
});

Deno.test("a verdict that a new ADD of the container has overtaken frees nothing (T-REL-13)", async () => {
  await using fixture = await openFixture();
  await addAll(fixture, "a", "b");
  for (const id of ["a", "b"]) vanish(fixture, id);
  await fixture.collector.sweep();
  fixture.clock.now += PATIENCE.confirmMs;
  const { kernel } = fixture;
  const detach = kernel.detach.bind(kernel);
  const overtaken = Promise.withResolvers<void>();
  kernel.detach = async (links) => {
    kernel.detach = detach; // "a" is being freed, "b" is next: it has been judged already
    await fixture.service.handle(request(fixture, "ADD", { id: "b" }));
    overtaken.resolve();
    await detach(links);
  };
  await fixture.collector.sweep();
  await overtaken.promise;
  assertEquals([ids(fixture), kernel.links.size], [["b"], 1]);
});
