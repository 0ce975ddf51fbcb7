/** Annotations of a running pod that change, and events that change nothing. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { BIRD_CONFIG } from "../../src/paths/paths.ts";
import { listenToBgp } from "../lab/bgp_wire.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { capture, ping } from "../lab/probes.ts";
import { until } from "../lab/until.ts";
import { allocationsOf, createPod, expectPing, kernelOf, startCluster, untilEvent } from "./_cluster.ts";
import { alone, anycastStatus, boundOn, countReloads, now, runServicePod, type ServicePod } from "./_service_pod.ts";
import { addSandbox } from "./_sandbox.ts";

const OLD = ["198.18.0.1", "2001:db8:a::1"];
const NEW = ["198.18.0.2", "2001:db8:a::2"];
const PRIMARY = { 4: "198.18.1.1", 6: "2001:db8:b::1" } as const;
const SECONDARY = ["198.18.1.2", "2001:db8:b::2"];
const OTHER_SECONDARY = ["198.18.1.3", "2001:db8:b::3"];
const STRANGERS = 20;
const EVENTS = 1_000;

Deno.test("annotations of a running pod change without a restart", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  const pod = await runServicePod(lab, node, {
    name: "web-0",
    anycast: OLD,
    addresses: [PRIMARY[4], PRIMARY[6], ...SECONDARY],
    ready: true,
  });
  const primary = Object.values(PRIMARY);
  for (const address of [...OLD, ...primary, ...SECONDARY]) await lab.router.waitForRoute(alone(address));
  await t.step("anycast: new addresses are bound and advertised, old ones are gone", async () => {
    await pod.annotate({ anycast: NEW.join() });
    for (const address of NEW) await lab.router.waitForRoute(alone(address));
    for (const address of OLD) await lab.router.waitForNoRoute(alone(address));
    await until("lo has the new ones", async () => (await boundOn("lo", pod.sandbox)).join() === NEW.toSorted().join());
    for (const address of NEW) await expectPing(lab.client, address);
    await until("the status forgets", async () => await anycastStatus(lab, node, OLD[0] ?? "") === undefined);
  });
  await t.step("an anycast address that is claimed no more gets no answer out (T-SEC-15)", async () => {
    for (const address of OLD) await expectDropped(lab, node, { pod, address });
  });
  await t.step("anycast: removed altogether, and there again", async () => {
    await pod.annotate({ anycast: null });
    for (const address of NEW) await lab.router.waitForNoRoute(alone(address));
    await until("lo is empty", async () => (await boundOn("lo", pod.sandbox)).length === 0);
    await pod.annotate({ anycast: OLD.join() });
    for (const address of OLD) await lab.router.waitForRoute(alone(address));
    for (const address of OLD) await expectPing(lab.client, address);
  });
  await t.step("secondary addresses: bound and unbound, advertised and withdrawn", async () => {
    for (const address of SECONDARY) await expectPing(lab.client, address);
    await pod.annotate({ addresses: [...primary, ...OTHER_SECONDARY].join() });
    for (const address of OTHER_SECONDARY) await lab.router.waitForRoute(alone(address));
    for (const address of SECONDARY) await lab.router.waitForNoRoute(alone(address));
    for (const address of [...primary, ...OTHER_SECONDARY]) await expectPing(lab.client, address);
    assertEquals(await boundOn("eth0", pod.sandbox), [...primary, ...OTHER_SECONDARY].sort());
  });
  await t.step("primary addresses: an Event, and nothing else until the next sandbox", async () => {
    const before = { kernel: await kernelOf(node), allocations: await allocationsOf(node) };
    const wanted = ["198.18.1.9", "2001:db8:b::9"];
    await pod.annotate({ addresses: [...wanted, ...OTHER_SECONDARY].join() });
    const message = await until("an Event tells", async () => {
      const events = await lab.api.events("web-0");
      return events.map((event) => String(event["message"])).find((text) => text.includes("198.18.1.9"));
    });
    assertMatch(message, /addresses/);
    assertEquals(await boundOn("eth0", pod.sandbox), [...primary, ...OTHER_SECONDARY].sort());
    assertEquals((await kernelOf(node)).links, before.kernel.links);
    for (const address of primary) await expectPing(lab.client, address);
    await pod.sandbox.remove();
    const next = await addSandbox(node, { pod });
    assertEquals(next.addresses, wanted);
    for (const address of [...wanted, ...OTHER_SECONDARY]) {
      await lab.router.waitForRoute(alone(address));
      await expectPing(lab.client, address);
    }
    for (const address of primary) await lab.router.waitForNoRoute(alone(address));
  });
  await t.step("an edit that breaks a rule is told and changes nothing that serves", async () => {
    await pod.annotate({ anycast: `${OLD.join()},fe80::1` });
    assertStringIncludes(
      await untilEvent(lab, "web-0", { reason: "InvalidAnnotation", includes: "fe80::1" }),
      "anycast",
    );
    for (const address of OLD) await expectPing(lab.client, address);
  });
});

Deno.test("what has nothing to do with it reloads nothing", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  const pod = await runServicePod(lab, node, { name: "dns-0", anycast: OLD, ready: true });
  for (const address of OLD) await lab.router.waitForRoute(alone(address));
  await using wire = await listenToBgp(lab.router, { link: "br0", directory: lab.dir });
  await t.step(
    `${EVENTS} events of other pods, and of the pod itself: no reload, the same bytes (T-BGP-04)`,
    async () => {
      const strangers = Array.from({ length: STRANGERS }, (_, index) => `stranger-${index}`);
      await Promise.all(strangers.map((name) => createPod(lab, { name, annotations: {}, nodeName: node.name })));
      const [reloads, text, at] = [await countReloads(node), await node.read(BIRD_CONFIG), now()];
      await Promise.all([...strangers, "dns-0"].map((name) => touch(lab, name, EVENTS / STRANGERS)));
      await pod.setReady(true);
      await until("the agent has seen the last", async () => {
        await pod.annotate({ anycast: [...OLD, ...NEW].join() });
        return await anycastStatus(lab, node, NEW[0] ?? "") !== undefined;
      });
      for (const address of NEW) await lab.router.waitForRoute(alone(address));
      const own = Object.values(node.spec.addresses);
      const heard = (await wire.heard()).filter((it) => it.at > at && own.includes(it.from));
      const updates = heard.flatMap(({ announced, withdrawn }) => [...announced, ...withdrawn]);
      assertEquals(updates.sort(), NEW.map(alone).sort());
      assert(await countReloads(node) - reloads <= 2, "there were reloads before the one that was asked for");
      await pod.annotate({ anycast: OLD.join() });
      for (const address of NEW) await lab.router.waitForNoRoute(alone(address));
      await until("the same bytes as before", async () => await node.read(BIRD_CONFIG) === text);
    },
  );
});

/** Changes a label of a pod again and again. */
async function touch({ api }: Lab, name: string, times: number): Promise<void> {
  for (let turn = 0; turn < times; turn++) {
    await api.patch(`/api/v1/namespaces/default/pods/${name}`, { metadata: { labels: { turn: `${turn}` } } });
  }
}

/** The pod has the address all the same, and answers: its node lets nothing of that through. */
async function expectDropped(
  lab: Lab,
  node: LabNode,
  { pod: { sandbox }, address }: { readonly pod: ServicePod; readonly address: string },
): Promise<void> {
  const family = address.includes(":") ? 6 : 4;
  const route = ["ip", `-${family}`, "route"];
  const via = ["via", sandbox.address(family), "dev", sandbox.hostLink, "onlink"];
  await sandbox.output(["ip", "address", "add", alone(address), "dev", "lo"]);
  await lab.router.output([...route, "add", alone(address), "via", node.spec.addresses[family] ?? ""]);
  await until(
    "the old route is gone",
    async () => (await node.output([...route, "show", "exact", alone(address)])) === "",
  );
  await node.output([...route, "add", alone(address), ...via]);
  await using seen = await capture(node, `host ${address}`, { link: sandbox.hostLink });
  assertEquals(await ping(lab.client, address, { timeoutMs: 300 }), undefined);
  const kinds = (await seen.packets(2)).map((packet) => /echo (request|reply)/.exec(packet)?.[1]);
  assertEquals(kinds.slice(0, 2), ["request", "reply"]);
  await node.output([...route, "del", alone(address)]);
  await lab.router.output([...route, "del", alone(address)]);
  await sandbox.output(["ip", "address", "del", alone(address), "dev", "lo"]);
}
