import { assert, assertEquals, assertObjectMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { CniError } from "../cnispec/cni_error.ts";
import { AttachFailed } from "../link/attachment_driver.ts";
import { KubeError } from "../kube/kube_client.ts";
import { type Fixture, know, openFixture, rawPod, request } from "./_agent_fixture.ts";

const POD_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web;K8S_POD_UID=uid-1";

function addressesIn(result: unknown): string[] {
  assert(typeof result === "object" && result !== null && "ips" in result && Array.isArray(result.ips));
  return result.ips.map((ip: { address: string }) => ip.address);
}

async function refused(fixture: Fixture, raw: Record<string, unknown>): Promise<CniError> {
  return await assertRejects(() => fixture.service.handle(raw), CniError);
}

Deno.test("ADD gives one address of each family, IPv4 first, and DEL takes everything back", async () => {
  await using fixture = await openFixture();
  const result = await fixture.service.handle(request(fixture, "ADD"));
  assertEquals(addressesIn(result).map((text) => text.split("/")[1]), ["32", "128"]);
  assertEquals(fixture.kernel.links.size, 1);
  assertEquals(fixture.guard.grants?.size, 2);
  await fixture.service.handle(request(fixture, "DEL"));
  assertEquals([fixture.kernel.links.size, fixture.guard.grants?.size, fixture.ledger.all().length], [0, 0, 0]);
});

Deno.test("ADD repeated for the same container gives the same answer and touches nothing", async () => {
  await using fixture = await openFixture();
  const first = await fixture.service.handle(request(fixture, "ADD"));
  assertEquals(await fixture.service.handle(request(fixture, "ADD")), first);
  assertEquals(fixture.kernel.attaches, 1);
});

Deno.test("ADD repeated where the path cannot be mended fails, and takes nothing from the pod that runs (T-CNI-13)", async () => {
  await using fixture = await openFixture();
  const first = await fixture.service.handle(request(fixture, "ADD"));
  const { kernel } = fixture;
  const mend = kernel.mend.bind(kernel);
  kernel.mend = () => Promise.reject(new AttachFailed("failed", "Cannot repair flock0a1b2c3d: RTNETLINK answers"));
  assertEquals((await refused(fixture, request(fixture, "ADD"))).code, 11);
  assertEquals([kernel.links.size, fixture.guard.grants?.size, kernel.attaches], [1, 2, 1]);
  kernel.mend = mend;
  assertEquals(await fixture.service.handle(request(fixture, "ADD")), first);
});

Deno.test("ADD repeated where the link is gone makes another one", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD"));
  fixture.kernel.links.clear();
  await fixture.service.handle(request(fixture, "ADD"));
  assertEquals([fixture.kernel.links.size, fixture.ledger.all().length, fixture.guard.grants?.size], [1, 1, 2]);
});

Deno.test("ADD of a second interface for one container names CNI_IFNAME, and leaves the first alone", async () => {
  await using fixture = await openFixture();
  const first = await fixture.service.handle(request(fixture, "ADD"));
  const second = (verb: "ADD" | "DEL"): Record<string, unknown> => {
    const raw = request(fixture, verb);
    return { ...raw, environment: { ...Object(raw["environment"]), CNI_IFNAME: "eth1" } };
  };
  const error = await refused(fixture, second("ADD"));
  assertEquals(error.code, 4);
  assertStringIncludes(error.message, 'CNI_IFNAME "eth1"');
  await fixture.service.handle(second("DEL"));
  assertEquals(await fixture.service.handle(request(fixture, "ADD")), first);
});

Deno.test("ADD repeated with the other spelling of its netns is the same ADD, answered in that spelling", async () => {
  await using fixture = await openFixture();
  const add = async (netns: string): Promise<string> => {
    fixture.kernel.namespaces.add(netns);
    return JSON.stringify(await fixture.service.handle(request(fixture, "ADD", { netns })));
  };
  const first = await add("/run/netns/c1");
  assertEquals(await add("/var/run/netns/c1"), first.replace("/run/netns/c1", "/var/run/netns/c1"));
  assertEquals(fixture.kernel.attaches, 1);
});

Deno.test("ADD touches the kernel only when its addresses are recorded on disk", async () => {
  const disk = Promise.withResolvers<void>();
  await using fixture = await openFixture({
    files: (real) => ({ ...real, create: (path, content) => disk.promise.then(() => real.create(path, content)) }),
  });
  const add = fixture.service.handle(request(fixture, "ADD"));
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals([fixture.kernel.attaches, fixture.guard.grants?.size], [0, 0]);
  disk.resolve();
  await add;
  assertEquals(fixture.kernel.attaches, 1);
});

Deno.test("ADD after the state was reopened gives the recorded answer", async () => {
  await using fixture = await openFixture();
  const first = await fixture.service.handle(request(fixture, "ADD"));
  await using again = await openFixture({ directory: fixture.directory, kernel: fixture.kernel });
  again.guard.grants = fixture.guard.grants;
  assertEquals(await again.service.handle(request(again, "ADD")), first);
});

Deno.test("ADD into a missing netns leaves nothing", async () => {
  await using fixture = await openFixture();
  const error = await refused(fixture, request(fixture, "ADD", { netns: "/run/netns/none" }));
  assertEquals(error.code, 3);
  assertEquals([fixture.ledger.all().length, fixture.guard.grants?.size], [0, 0]);
});

Deno.test("ADD beyond the pool answers 11 with pool and size, an Event, and takes nothing", async () => {
  await using fixture = await openFixture();
  for (const id of ["a", "b", "c", "d", "e"]) await fixture.service.handle(request(fixture, "ADD", { id }));
  know(fixture, rawPod("web"));
  const error = await refused(fixture, request(fixture, "ADD", { id: "f", args: POD_ARGS }));
  assertEquals(error.code, 11);
  assertStringIncludes(error.message, "203.0.113.0/29");
  assertEquals(fixture.kube.events.map(({ reason }) => reason), ["AddressPoolExhausted"]);
  await fixture.service.handle(request(fixture, "DEL", { id: "a" }));
  await fixture.service.handle(request(fixture, "ADD", { id: "f" }));
});

Deno.test("a DEL that overtakes its ADD wins: the late ADD undoes itself (T-REL-07)", async () => {
  await using fixture = await openFixture();
  const gate = Promise.withResolvers<void>();
  fixture.kernel.hold = gate.promise;
  const add = refused(fixture, request(fixture, "ADD"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const del = fixture.service.handle(request(fixture, "DEL"));
  gate.resolve();
  assertEquals((await add).code, 11);
  await del;
  assertEquals([fixture.kernel.links.size, fixture.ledger.all().length, fixture.guard.grants?.size], [0, 0, 0]);
});

Deno.test("a DEL does not wait for what its ADD waits for (T-REL-07)", async () => {
  await using fixture = await openFixture();
  fixture.kube.get = () => new Promise(() => {});
  const add = refused(fixture, request(fixture, "ADD", { args: POD_ARGS }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await fixture.service.handle(request(fixture, "DEL"));
  assertEquals((await add).code, 11);
  assertEquals(fixture.ledger.all(), []);
});

Deno.test("an ADD whose plugin started before an answered DEL is refused, one that started after it succeeds (T-REL-07)", async () => {
  await using fixture = await openFixture();
  const before = fixture.clock.now;
  fixture.clock.now += 100;
  await fixture.service.handle(request(fixture, "DEL"));
  assertEquals((await refused(fixture, request(fixture, "ADD", { startedAt: before }))).code, 11);
  fixture.clock.now += 1;
  await fixture.service.handle(request(fixture, "ADD"));
});

Deno.test("DEL of what was never added succeeds, also three times at once", async () => {
  await using fixture = await openFixture();
  await Promise.all([1, 2, 3].map(() => fixture.service.handle(request(fixture, "DEL"))));
});

Deno.test("DEL of one container leaves another of the same pod alone (T-REL-19, T-REL-25)", async () => {
  await using fixture = await openFixture();
  know(fixture, rawPod("web"));
  await fixture.service.handle(request(fixture, "ADD", { id: "c1", args: POD_ARGS }));
  await fixture.service.handle(request(fixture, "ADD", { id: "c2", args: POD_ARGS }));
  await fixture.service.handle(request(fixture, "DEL", { id: "c1" }));
  assertEquals(fixture.ledger.all().map(({ containerId }) => containerId), ["c2"]);
  assertEquals(fixture.kernel.links.size, 1);
});

Deno.test("a freed address rests before it is given out again, over a restart too (T-REL-03)", async () => {
  await using fixture = await openFixture();
  const first = addressesIn(await fixture.service.handle(request(fixture, "ADD")));
  await fixture.service.handle(request(fixture, "DEL"));
  await using again = await openFixture({ directory: fixture.directory, clock: fixture.clock });
  for (const id of ["a", "b", "c", "d"]) {
    const next = addressesIn(await again.service.handle(request(again, "ADD", { id })));
    assert(!next.some((address) => first.includes(address)));
  }
});

Deno.test("a malformed annotation fails the ADD with code 101 and puts a Warning Event on the pod", async () => {
  await using fixture = await openFixture();
  know(fixture, rawPod("web", { annotations: { "flock.fritzlab.net/ipv6": "yes" } }));
  const error = await refused(fixture, request(fixture, "ADD", { args: POD_ARGS }));
  assertEquals(error.code, 101);
  assertStringIncludes(error.message, "flock.fritzlab.net/ipv6");
  assertStringIncludes(error.message, '"yes"');
  assertObjectMatch(fixture.kube.events[0], {
    type: "Warning",
    reason: "InvalidAnnotation",
    involved: { kind: "Pod", namespace: "ns", name: "web" },
  });
});

Deno.test("ADD reads the pod directly when the watch has an older one of the same name (T-REL-48)", async () => {
  await using fixture = await openFixture();
  know(fixture, rawPod("web", { uid: "uid-0" }));
  fixture.kube.pods.set(
    "/api/v1/namespaces/ns/pods/web",
    rawPod("web", { annotations: { "flock.fritzlab.net/ipv4": "false" } }),
  );
  const result = await fixture.service.handle(request(fixture, "ADD", { args: POD_ARGS }));
  assertEquals(addressesIn(result).length, 1);
  assertEquals(fixture.kube.reads, 1);
});

Deno.test("ADD of a static pod finds the mirror by kubelet's hash (T-REL-48)", async () => {
  await using fixture = await openFixture();
  const hash = "0123456789abcdef0123456789abcdef";
  know(fixture, rawPod("web", { static: hash, annotations: { "flock.fritzlab.net/ipv6": "false" } }));
  const args = POD_ARGS.replace("uid-1", hash);
  assertEquals(addressesIn(await fixture.service.handle(request(fixture, "ADD", { args }))).length, 1);
  assertEquals(fixture.kube.reads, 0);
});

Deno.test("ADD of a static pod without a mirror yet gets the node's defaults", async () => {
  await using fixture = await openFixture();
  const args = POD_ARGS.replace("uid-1", "0123456789abcdef0123456789abcdef");
  assertEquals(addressesIn(await fixture.service.handle(request(fixture, "ADD", { args }))).length, 2);
});

Deno.test("ADD of a pod that nobody knows answers 11", async () => {
  await using fixture = await openFixture();
  assertEquals((await refused(fixture, request(fixture, "ADD", { args: POD_ARGS }))).code, 11);
});

Deno.test("ADD with the API server down takes the annotations that the runtime passed on", async () => {
  await using fixture = await openFixture();
  fixture.kube.failure = new KubeError("Cannot reach the API server: refused", undefined);
  const add = request(fixture, "ADD", { args: POD_ARGS });
  assertEquals((await refused(fixture, add)).code, 11);
  const annotations = { "flock.fritzlab.net/ipv4": "false", "other": "ignored" };
  const config = { runtimeConfig: { "io.kubernetes.cri.pod-annotations": annotations } };
  const result = await fixture.service.handle(request(fixture, "ADD", { args: POD_ARGS, config }));
  assertEquals(addressesIn(result).length, 1);
});

Deno.test("DEL never asks the API server (T-REL-06)", async () => {
  await using fixture = await openFixture();
  await fixture.service.handle(request(fixture, "ADD"));
  fixture.kube.failure = new KubeError("Cannot reach the API server: refused", undefined);
  await fixture.service.handle(request(fixture, "DEL"));
  assertEquals([fixture.ledger.all().length, fixture.kube.reads], [0, 0]);
});

Deno.test("DEL fails while the kernel keeps the link, frees nothing, and succeeds when tried again", async () => {
  await using fixture = await openFixture();
  const result = await fixture.service.handle(request(fixture, "ADD"));
  fixture.kernel.keeps = true;
  await assertRejects(() => fixture.service.handle(request(fixture, "DEL")), Error, "keeps");
  assertEquals(fixture.ledger.all().length, 1);
  for (const id of ["a", "b", "c", "d"]) {
    const next = addressesIn(await fixture.service.handle(request(fixture, "ADD", { id })));
    assert(!next.some((address) => addressesIn(result).includes(address)));
  }
  fixture.kernel.keeps = false;
  await fixture.service.handle(request(fixture, "DEL"));
  assertEquals(fixture.ledger.all().some(({ containerId }) => containerId === "c1"), false);
});

Deno.test("an ADD that can neither finish nor be undone keeps its record, so that nobody else gets its addresses", async () => {
  let full = false;
  await using fixture = await openFixture({
    files: (real) => ({
      ...real,
      create: (path, content) => full ? Promise.reject(new Error("No space left")) : real.create(path, content),
    }),
  });
  const gate = Promise.withResolvers<void>();
  fixture.kernel.hold = gate.promise;
  const add = refused(fixture, request(fixture, "ADD"));
  while (fixture.kernel.attaches === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  full = true;
  fixture.kernel.keeps = true;
  gate.resolve();
  assertEquals((await add).code, 5);
  assertEquals([fixture.ledger.all().length, fixture.kernel.links.size], [1, 1]);
  full = fixture.kernel.keeps = false;
  await fixture.service.handle(request(fixture, "DEL"));
  assertEquals([fixture.ledger.all().length, fixture.kernel.links.size], [0, 0]);
});
