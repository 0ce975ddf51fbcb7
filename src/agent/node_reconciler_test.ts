import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { HostChange, HostDriver } from "../host/host_driver.ts";
import type { Prefix } from "../ip/address.ts";
import type { Watched } from "../kube/kube_client.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import { type Fixture, know, logger, openFixture, prefix, rawPod, request } from "./_agent_fixture.ts";
import { NODE_CHANGED, NODE_MADE } from "./journal.ts";
import { NodeReconciler, SERVER_LATE_MS } from "./node_reconciler.ts";
import { openPrefixMemory } from "./prefix_memory.ts";
import { openNodeConfigMemory } from "./node_config_memory.ts";
import { decodeNodeConfig, type NodeConfigReading } from "./resolve_node_config.ts";

function raw(name: string, cidr4: string, status: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    metadata: { name, uid: name, generation: 1, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { cidr4: [cidr4] },
    status,
  };
}

interface Opened {
  readonly fixture: Fixture;
  /** A test lets it fail. */
  readonly host: { apply: HostDriver["apply"] };
  readonly items: Map<string, NodeConfigReading>;
  know(object: Record<string, unknown>): void;
  readonly reconciler: NodeReconciler;
  readonly saved: NodeConfig[];
  /** What is remembered of where the cluster's pods are. */
  readonly prefixes: { now: readonly Prefix[]; saves: number; whileSaved?: () => Promise<unknown> };
  /** The pods' prefixes of each replacement of the guard's table. */
  readonly guarded: string[][];
  /** Messages of level info. */
  readonly said: string[];
}

async function openReconciler(
  remembered?: NodeConfig,
  { synced = true, known = [] }: { synced?: boolean; known?: readonly Prefix[] } = {},
): Promise<Opened> {
  const fixture = await openFixture();
  const items = new Map<string, NodeConfigReading>();
  const know = (object: Record<string, unknown>): void => {
    const reading = decodeNodeConfig(object);
    if (reading !== undefined) items.set(reading.name, reading);
  };
  const nodeConfigs: Watched<NodeConfigReading> = {
    ...{ synced, items, lastContact: 0, onChange: () => () => {}, stop: () => {} },
  };
  const host: HostDriver = {
    read: () => Promise.resolve({ addresses: [], defaultRoutes: [], mtus: new Map() }),
    apply: () => Promise.resolve({ changed: [], left: [] }),
  };
  const announcer = {
    announce: ({ config }: { config: NodeConfig }) =>
      Promise.resolve({
        advertised: config.cidr4.map(({ text }) => text),
        bird: { applied: true as const },
        anycast: [],
      }),
    doubt: () => {},
  };
  const saved: NodeConfig[] = [];
  const prefixes: Opened["prefixes"] = { now: known, saves: 0 };
  const guarded: string[][] = [];
  const replace = fixture.guard.replace.bind(fixture.guard);
  fixture.guard.replace = (state) => {
    guarded.push(state.podPrefixes.map(({ text }) => text));
    return replace(state);
  };
  const said: string[] = [];
  const reconciler = new NodeReconciler({
    ...{ nodeName: "node-a", nodeConfigs, host, announcer },
    logger: { ...logger, info: (message) => void said.push(message) },
    ...{ ledger: fixture.ledger, driver: fixture.kernel, guard: fixture.guard, clock: fixture.clock },
    restorer: { restore: () => Promise.resolve() },
    memory: { load: () => remembered, save: (config) => Promise.resolve(void saved.push(config)) },
    prefixes: {
      load: () => prefixes.now,
      save: async (now) => {
        await prefixes.whileSaved?.();
        Object.assign(prefixes, { now, saves: prefixes.saves + 1 });
      },
    },
  });
  return { fixture, host, items, know, reconciler, saved, prefixes, guarded, said };
}

Deno.test("NodeReconciler keeps another node's old prefixes guarded while that node advertises them, is invalid or gone", async () => {
  const { fixture, items, know, reconciler, guarded } = await openReconciler();
  await using _ = fixture;
  know(raw("node-a", "203.0.113.0/26"));
  know(raw("node-b", "203.0.113.64/26"));
  await reconciler.pass({ full: false });
  assertEquals(guarded.at(-1), ["203.0.113.0/26", "203.0.113.64/26"]);
  know(raw("node-b", "203.0.113.128/26", { advertised: ["203.0.113.128/26", "203.0.113.66/32"] }));
  await reconciler.pass({ full: false });
  assertEquals(guarded.at(-1), ["203.0.113.0/26", "203.0.113.66/32", "203.0.113.128/26"]);
  know(raw("node-b", "nonsense"));
  await reconciler.pass({ full: false });
  items.delete("node-b");
  await reconciler.pass({ full: false });
  assert(guarded.at(-1)?.includes("203.0.113.128/26"));
});

Deno.test("NodeReconciler lets who judges the node wait for an agent that is back, not for one that is new or too late", async () => {
  const first = await openReconciler();
  await using _ = first.fixture;
  await first.reconciler.restarted();
  first.know(raw("node-a", "203.0.113.0/26"));
  await first.reconciler.pass({ full: false });
  const again = await openReconciler(first.saved[0]);
  await using _again = again.fixture;
  again.know(raw("node-a", "203.0.113.0/26"));
  let served = false;
  const waiting = again.reconciler.restarted().then(() => assert(served));
  served = true;
  await again.reconciler.pass({ full: false });
  await waiting;
  const late = await openReconciler(first.saved[0]);
  await using _late = late.fixture;
  late.fixture.clock.now += 8_000;
  await late.reconciler.restarted();
});

Deno.test("NodeReconciler reserves what other nodes' pods answer inside its CIDRs, and what they answered before the API server was lost", async () => {
  const first = await openReconciler();
  await using _ = first.fixture;
  first.know(raw("node-a", "203.0.113.0/26", { advertised: ["203.0.113.0/26", "203.0.113.9/32"] }));
  first.know(raw("node-b", "198.51.100.0/24", { advertised: ["198.51.100.0/24", "203.0.113.7/32", "192.0.2.7/32"] }));
  await first.reconciler.pass({ full: false });
  const reserved = ({ reconciler }: Opened): string[] => reconciler.termsNow?.foreign.map(({ text }) => text) ?? [];
  assertEquals(reserved(first), ["203.0.113.7"]);
  const again = await openReconciler(first.saved[0], { synced: false, known: first.prefixes.now });
  await using _again = again.fixture;
  again.fixture.clock.now += SERVER_LATE_MS;
  await again.reconciler.pass({ full: false });
  assertEquals(reserved(again).includes("203.0.113.7"), true);
});

Deno.test("NodeReconciler tells where other nodes' pods and routers are, and where some were before the API server was lost", async () => {
  const first = await openReconciler();
  await using _ = first.fixture;
  first.know(raw("node-a", "203.0.113.0/26"));
  const peer = { address: "192.0.2.1", asn: 65000 };
  const spec = { cidr4: ["198.51.100.0/24"], bgp: { asn: 65102, routerId: "192.0.2.11", peers: [peer] } };
  first.know({ ...raw("node-b", "", { advertised: ["198.51.100.0/24", "192.0.2.7/32"] }), spec });
  await first.reconciler.pass({ full: false });
  const known = ({ reconciler }: Opened): unknown =>
    reconciler.termsNow?.otherNodes.map(({ name, prefixes, others }) => [
      name,
      prefixes.map(({ text }) => text),
      others.map(({ address, what }) => `${address.text} is ${what}`),
    ]);
  const beside = ["192.0.2.1 is the address of a BGP peer of node-b", "192.0.2.11 is node-b's BGP identifier"];
  assertEquals(known(first), [["node-b", ["198.51.100.0/24"], beside]]);
  const again = await openReconciler(first.saved[0], { synced: false, known: first.prefixes.now });
  await using _again = again.fixture;
  again.fixture.clock.now += SERVER_LATE_MS;
  await again.reconciler.pass({ full: false });
  assertEquals(known(again), [[undefined, ["198.51.100.0/24"], []]]);
});

Deno.test("NodeReconciler serves with the remembered NodeConfig when the API's is invalid or gone after a restart", async () => {
  const first = await openReconciler();
  await using _ = first.fixture;
  first.know(raw("node-a", "203.0.113.0/26"));
  await first.reconciler.pass({ full: false });
  const remembered = first.saved[0];
  assert(remembered !== undefined);
  for (const object of [raw("node-a", "nonsense"), undefined]) {
    const again = await openReconciler(remembered);
    await using _again = again.fixture;
    if (object !== undefined) again.know(object);
    await again.reconciler.pass({ full: false });
    assertEquals([again.reconciler.ready, again.reconciler.config], [true, remembered]);
    assertEquals(again.saved, []);
  }
});

Deno.test("NodeReconciler serves with the remembered NodeConfig when the API server says nothing for 5 s, and leaves others' prefixes guarded", async () => {
  const first = await openReconciler();
  await using _ = first.fixture;
  first.know(raw("node-a", "203.0.113.0/26"));
  await first.reconciler.pass({ full: false });
  const { fixture, reconciler, guarded } = await openReconciler(first.saved[0], { synced: false });
  await using _again = fixture;
  fixture.clock.now += SERVER_LATE_MS - 1;
  await reconciler.pass({ full: false });
  assertEquals(reconciler.ready, false);
  fixture.clock.now += 1;
  await reconciler.pass({ full: true });
  assertEquals([reconciler.config, reconciler.resolution?.verdict.reason], [first.saved[0], "Unheard"]);
  assertEquals(guarded, []);
});

Deno.test("NodeReconciler guards others' prefixes as last heard when the tables go while the API server says nothing after a restart", async () => {
  const first = await openReconciler();
  await using _ = first.fixture;
  first.know(raw("node-a", "203.0.113.0/26"));
  first.know(raw("node-b", "203.0.113.64/26"));
  for (let pass = 0; pass < 2; pass++) await first.reconciler.pass({ full: false });
  const { now: known, saves } = first.prefixes;
  assertEquals([known.map(({ text }) => text), saves], [["203.0.113.0/26", "203.0.113.64/26"], 1]);
  const again = await openReconciler(first.saved[0], { synced: false, known });
  await using _again = again.fixture;
  again.fixture.clock.now += SERVER_LATE_MS;
  await again.reconciler.pass({ full: true });
  again.fixture.guard.grants = undefined; // somebody took the tables away
  await again.reconciler.repairGuard({ touched: true });
  assertEquals(again.guarded, [["203.0.113.0/26", "203.0.113.64/26"]]);
  assertEquals(again.prefixes.saves, 0);
});

Deno.test("NodeReconciler forgets a remembered prefix once the API server tells of none there", async () => {
  const known = [prefix("203.0.113.0/26"), prefix("203.0.113.192/26")];
  const { fixture, know, reconciler, prefixes, guarded } = await openReconciler(undefined, { known });
  await using _ = fixture;
  know(raw("node-a", "203.0.113.0/26"));
  await reconciler.pass({ full: false });
  assertEquals([guarded, prefixes.now.map(({ text }) => text)], [[["203.0.113.0/26"]], ["203.0.113.0/26"]]);
});

Deno.test("NodeReconciler replaces the guard's tables with the pods as they are once the prefixes are remembered, not as they were before", async () => {
  const { fixture, know, reconciler, prefixes } = await openReconciler();
  await using _ = fixture;
  know(raw("node-a", "203.0.113.0/26"));
  await fixture.service.handle(request(fixture, "ADD", { id: "goes" }));
  const before = new Set(fixture.guard.grants);
  prefixes.whileSaved = async () => {
    await fixture.service.handle(request(fixture, "DEL", { id: "goes" }));
    await fixture.service.handle(request(fixture, "ADD", { id: "comes" }));
  };
  await reconciler.pass({ full: false });
  const held = fixture.ledger.all().flatMap((
    { hostLink, ipv6, ipv4 },
  ) => [`${hostLink} ${ipv6}`, `${hostLink} ${ipv4}`]);
  assertEquals([before.size, held.length, fixture.guard.grants], [2, 2, new Set(held)]);
});

Deno.test("the memory of prefixes survives, and a damaged one is none", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/prefixes.json`;
  const memory = openPrefixMemory({ path, logger });
  const prefixes = [prefix("203.0.113.0/26"), prefix("2001:db8:f001::/64")];
  assertEquals(memory.load(), []);
  await memory.save(prefixes);
  assertEquals(memory.load(), prefixes);
  for (const damage of ["", "{", "null", "[1]", '["203.0.113.1/26x"]', '{"a":"203.0.113.0/26"}']) {
    await Deno.writeTextFile(path, damage);
    assertEquals(memory.load(), [], damage);
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("NodeReconciler serves with nobody's memory but its node's, and not without one", async () => {
  const stranger = await openReconciler();
  await using _ = stranger.fixture;
  stranger.know(raw("node-a", "203.0.113.0/26"));
  await stranger.reconciler.pass({ full: false });
  const [config] = stranger.saved;
  assert(config !== undefined);
  for (const remembered of [undefined, { ...config, name: "node-b" }]) {
    const { fixture, reconciler } = await openReconciler(remembered, { synced: false });
    await using _again = fixture;
    fixture.clock.now += SERVER_LATE_MS;
    await reconciler.pass({ full: true });
    assertEquals(reconciler.ready, false);
  }
});

Deno.test("the memory of a NodeConfig survives, and a damaged one is none", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/nodeconfig.json`;
  const memory = openNodeConfigMemory({ path, logger });
  assertEquals(memory.load(), undefined);
  const { saved, know, reconciler, fixture } = await openReconciler();
  await using _ = fixture;
  know(raw("node-a", "203.0.113.0/26"));
  await reconciler.pass({ full: false });
  const [config] = saved;
  assert(config !== undefined);
  await memory.save(config);
  assertEquals(memory.load(), config);
  for (const damage of ["", "{", "null", '{"metadata":{}}']) {
    await Deno.writeTextFile(path, damage);
    assertEquals(memory.load(), undefined);
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("NodeReconciler replaces tables that others touched while they were replaced, and not those that look right later", async () => {
  const { fixture, know, reconciler, guarded } = await openReconciler();
  await using _ = fixture;
  know(raw("node-a", "203.0.113.0/26"));
  await reconciler.pass({ full: false });
  await reconciler.pass({ full: true });
  assertEquals(guarded.length, 1);
  await reconciler.repairGuard({ touched: true });
  assertEquals(guarded.length, 2);
  fixture.clock.now += 5_000;
  await reconciler.repairGuard({ touched: true });
  assertEquals(guarded.length, 2);
});

Deno.test("NodeReconciler mends guard and links, and serves, though the node's own part or one link cannot be mended", async () => {
  const { fixture, host, know, reconciler, guarded } = await openReconciler();
  await using _ = fixture;
  know(raw("node-a", "203.0.113.0/26"));
  host.apply = () => Promise.reject(new Error("File exists"));
  let repairs = 0;
  fixture.kernel.repair = () => Promise.reject(new Error(`Cannot repair "flock00000001", attempt ${++repairs}`));
  await assertRejects(() => reconciler.pass({ full: true }), AggregateError, "File exists");
  assertEquals([reconciler.ready, reconciler.view?.advertised, repairs], [true, ["203.0.113.0/26"], 1]);
  fixture.guard.grants = undefined;
  await assertRejects(() => reconciler.pass({ full: true }), AggregateError, "attempt 2");
  assertEquals([fixture.guard.grants, guarded.length], [new Set(), 2]);
});

Deno.test("NodeReconciler tells what of the node and of pods' paths could not be mended as long as it is so, and what could", async () => {
  const { fixture, host, know, reconciler } = await openReconciler();
  await using _ = fixture;
  know(raw("node-a", "203.0.113.0/26"));
  host.apply = () => Promise.resolve({ changed: [], left: ["sysctl refused"] });
  fixture.kernel.repair = () => Promise.resolve({ mended: [], left: ["link refused"] });
  for (let pass = 0; pass < 3; pass++) {
    const { errors } = await assertRejects(() => reconciler.pass({ full: true }), AggregateError);
    assertEquals(errors.map(String), [
      "Error: Cannot make the node what it should be: sysctl refused",
      "Error: Cannot mend pods' paths: link refused",
    ]);
  }
});

Deno.test("NodeReconciler serves no pod before the guard is in force", async () => {
  const { fixture, know, reconciler } = await openReconciler();
  await using _ = fixture;
  know(raw("node-a", "203.0.113.0/26"));
  const { replace } = fixture.guard;
  fixture.guard.replace = () => Promise.reject(new Error("no nft"));
  await assertRejects(() => reconciler.pass({ full: false }), Error, "no nft");
  assertEquals(reconciler.ready, false);
  fixture.guard.replace = replace;
  await reconciler.pass({ full: false });
  assertEquals(reconciler.ready, true);
});

Deno.test("what is told of a NodeConfig is told once it is in the node, and never of a newer one that was only heard of", async () => {
  const { fixture, host, know, reconciler } = await openReconciler();
  await using _fixture = fixture;
  const applied = Promise.withResolvers<HostChange>();
  host.apply = () => applied.promise;
  know(raw("node-a", "203.0.113.0/26"));
  const pass = reconciler.pass({ full: false });
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([reconciler.resolution?.verdict.reason, reconciler.judged], ["Accepted", undefined]);
  know({ ...raw("node-a", "203.0.113.64/26"), metadata: { name: "node-a", uid: "node-a", generation: 2 } });
  applied.resolve({ changed: [], left: [] });
  await pass;
  assertEquals(reconciler.judged?.reading?.generation, 1);
});

Deno.test("NodeReconciler forwards a family that the node has no CIDR of once a pod has an address of it", async () => {
  const { fixture, host, know, reconciler } = await openReconciler();
  await using _ = fixture;
  const served: string[] = [];
  host.apply = ({ families }) => {
    served.push(families.join());
    return Promise.resolve({ changed: [], left: [] });
  };
  know({ ...raw("node-a", ""), spec: { cidr6: ["2001:db8:f001::/64"] } });
  await reconciler.pass({ full: false });
  await addPod(fixture, { "flock.fritzlab.net/addresses": "192.0.2.7" });
  for (const _ of [1, 2]) await reconciler.announce();
  assertEquals(served, ["6", "6,4"]);
});

async function addPod(fixture: Fixture, annotations: Record<string, string>): Promise<void> {
  know(fixture, rawPod("own", { annotations }));
  const args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=own;K8S_POD_UID=uid-1";
  await fixture.service.handle(request(fixture, "ADD", { args }));
}

Deno.test("NodeReconciler warns of a peer whose address a pod had first, until the pod is gone", async () => {
  const { fixture, reconciler, know: knowConfig } = await openReconciler();
  await using _ = fixture;
  know(fixture, rawPod("dns", { annotations: { "flock.fritzlab.net/anycast": "198.51.100.1" } }));
  const args = "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=dns;K8S_POD_UID=uid-1";
  await fixture.service.handle(request(fixture, "ADD", { args }));
  const bgp = { asn: 65101, peers: [{ address: "198.51.100.1", asn: 65000 }] };
  knowConfig({ ...raw("node-a", ""), spec: { cidr4: ["203.0.113.0/29"], bgp } });
  await reconciler.pass({ full: false });
  const { verdict, warnings = [] } = reconciler.resolution ?? {};
  assertEquals([verdict?.reason, warnings.length], ["Accepted", 1]);
  assertStringIncludes(warnings[0] ?? "", "198.51.100.1 is pod ns/dns's as well");
  await fixture.service.handle(request(fixture, "DEL"));
  await reconciler.pass({ full: false });
  assertEquals(reconciler.resolution?.warnings, []);
});

Deno.test("NodeReconciler tells what its start or a changed NodeConfig makes new from what others changed", async () => {
  const { fixture, host, know, reconciler, said } = await openReconciler();
  await using _ = fixture;
  host.apply = () => Promise.resolve({ changed: ["a blackhole"], left: [] });
  const saysOf = async (cidr: string): Promise<string[]> => {
    know(raw("node-a", cidr));
    await reconciler.pass({ full: false });
    return said.splice(0).filter((message) => message !== "NodeConfig");
  };
  assertEquals(await saysOf("203.0.113.0/26"), [NODE_MADE]);
  assertEquals(await saysOf("203.0.113.0/26"), [NODE_CHANGED]);
  assertEquals(await saysOf("203.0.113.64/26"), [NODE_MADE]);
  assertEquals(await saysOf("203.0.113.64/26"), [NODE_CHANGED]);
});
