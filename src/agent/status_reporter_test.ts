import { assert, assertEquals, fail } from "@std/assert";
import { parseAddress } from "../ip/address.ts";
import { CONFIG, logger, TestClock, TestKube } from "./_agent_fixture.ts";
import type { NodeConfigReading } from "./resolve_node_config.ts";
import { StatusReporter, viewWithoutConfig } from "./status_reporter.ts";

const FACTS = {
  sessions: { asked: true, sessions: undefined, everEstablished: false },
  policies: { inForce: true, problems: [], failure: undefined },
  pools: CONFIG.cidr4.map((cidr) => ({ cidr, used: 1, usable: 5n })),
  pods: 1,
};
const RESOLUTION = { inForce: CONFIG, verdict: { reason: "Accepted", message: "in force" }, warnings: [] } as const;

function readingOf(uid: string, more: Partial<NodeConfigReading> = {}): NodeConfigReading {
  return { name: "node-a", uid, generation: 1, outcome: CONFIG, advertised: [], ...more };
}

const PEER = parseAddress("192.0.2.1") ?? fail("not an address");

class CountingKube extends TestKube {
  patches = 0;
  override patchStatus(): Promise<void> {
    this.patches++;
    return Promise.resolve();
  }
}

Deno.test("reportNodeConfig() writes nothing twice, but again to an identical NodeConfig made anew", async () => {
  const kube = new CountingKube();
  const reporter = new StatusReporter({ nodeName: "node-a", kube, clock: new TestClock(), logger });
  const view = viewWithoutConfig({
    inForce: CONFIG,
    verdict: { reason: "Accepted", message: "in force" },
    warnings: ["AS shared"],
  });
  const report = (uid: string): Promise<void> =>
    reporter.reportNodeConfig({ reading: readingOf(uid), resolution: view.resolution }, { ...FACTS, view });
  await report("u1");
  await report("u1");
  assertEquals([kube.patches, kube.events.length], [1, 1]);
  await report("u2");
  assertEquals([kube.patches, kube.events.map(({ involved }) => involved.uid)], [2, ["u1", "u2"]]);
});

Deno.test("reportNodeConfig() lists anycast addresses with who serves them, and of the others why not", async () => {
  const patches: unknown[] = [];
  const kube = new TestKube();
  kube.patchStatus = (...[, patch]: Parameters<TestKube["patchStatus"]>): Promise<void> =>
    Promise.resolve(void patches.push(patch));
  const reporter = new StatusReporter({ nodeName: "node-a", kube, clock: new TestClock(), logger });
  const [one, two] = ["192.0.2.53", "2001:db8:53::1"].flatMap((text) => parseAddress(text) ?? []);
  assert(one !== undefined && two !== undefined);
  const peer = { address: one, asn: 65000 };
  const inForce = { ...CONFIG, bgp: { asn: 65101, peers: [peer] } };
  const view = {
    ...viewWithoutConfig({ ...RESOLUTION, inForce }),
    bird: { applied: true },
    advertised: ["192.0.2.53/32"],
    anycast: [
      { address: one, owner: "ns/a", serves: true },
      { address: one, owner: "ns/b", serves: false, reason: "notReady" },
      { address: two, owner: "ns/b", serves: false, reason: "terminating" },
    ],
  } as const;
  const report = async (established: boolean): Promise<unknown> => {
    const sessions = [{ peer: one, state: established ? "Established" : "Active", established }];
    const facts = { ...FACTS, view, sessions: { asked: true, sessions, everEstablished: true } };
    await reporter.reportNodeConfig({ reading: readingOf("u1"), resolution: RESOLUTION }, facts);
    return Object(patches.at(-1)).status.anycast;
  };
  const who = { pods: ["ns/a"], waiting: [{ pod: "ns/b", reason: "notReady" }] };
  const none = {
    ...{ address: "2001:db8:53::1", advertised: false, pods: [] },
    waiting: [{ pod: "ns/b", reason: "terminating" }],
  };
  assertEquals(await report(true), [{ address: "192.0.2.53", advertised: true, ...who }, none]);
  assertEquals(await report(false), [
    { address: "192.0.2.53", advertised: false, reason: "noSession", ...who },
    none,
  ]);
});

Deno.test("reportNodeConfig() lists no more prefixes than the schema allows, the node's CIDRs before all others", async () => {
  const patches: unknown[] = [];
  const kube = new TestKube();
  kube.patchStatus = (...[, patch]: Parameters<TestKube["patchStatus"]>): Promise<void> =>
    Promise.resolve(void patches.push(patch));
  const reporter = new StatusReporter({ nodeName: "node-a", kube, clock: new TestClock(), logger });
  const own = [...CONFIG.cidr6, ...CONFIG.cidr4].map(({ text }) => text);
  const hosts = Array.from({ length: 5000 }, (_, index) => `100.64.${index >> 8}.${index & 255}/32`);
  const view = { ...viewWithoutConfig(RESOLUTION), advertised: [...hosts, ...own].sort() };
  await reporter.reportNodeConfig({ reading: readingOf("u1"), resolution: RESOLUTION }, { ...FACTS, view });
  const { advertised } = Object(patches[0]).status;
  assertEquals([advertised.length, own.every((text) => advertised.includes(text))], [4096, true]);
});

Deno.test("reportNodeConfig() says whether policies are in force, and names some of those that are not (NP-61)", async () => {
  const patches: unknown[] = [];
  const kube = new TestKube();
  kube.patchStatus = (...[, patch]: Parameters<TestKube["patchStatus"]>): Promise<void> =>
    Promise.resolve(void patches.push(patch));
  const clock = new TestClock();
  const reporter = new StatusReporter({ nodeName: "node-a", kube, clock, logger });
  const view = viewWithoutConfig(RESOLUTION);
  clock.now += 10_000;
  const report = async (inForce: boolean, bad: number, failure?: string): Promise<string[]> => {
    const problems = Array.from({ length: bad }, (_, index) => ({
      policy: { namespace: "ns", name: `bad-${index}` },
      ...{ reason: "PolicyInvalid" as const, state: "no" },
    }));
    const policies = { inForce, problems, failure };
    await reporter.reportNodeConfig({ reading: readingOf("u1"), resolution: RESOLUTION }, { ...FACTS, view, policies });
    const { status, reason, message } = Object(patches.at(-1)).status.conditions.at(-1);
    return [status, reason, message];
  };
  assertEquals(await report(false, 0), ["Unknown", "NotHeard", "the policies have not been listed yet"]);
  assertEquals(await report(true, 0), ["True", "InForce", "every NetworkPolicy is in force as it is written"]);
  assertEquals(await report(true, 0, "Error: no"), [
    "False",
    "NotWritten",
    "as they were before what changed last: Error: no",
  ]);
  assertEquals(await report(true, 1), [
    "False",
    "SomeFailClosed",
    "these isolate, and allow nothing: ns/bad-0 (PolicyInvalid)",
  ]);
  const [, , message = ""] = await report(true, 5000);
  assertEquals([message.length < 1000, message.endsWith("ns/bad-9 (PolicyInvalid); and 4990 more")], [true, true]);
});

Deno.test("reportNodeConfig() writes counts that alone have changed every ten seconds, and at once with anything else", async () => {
  const [kube, clock] = [new CountingKube(), new TestClock()];
  const reporter = new StatusReporter({ nodeName: "node-a", kube, clock, logger });
  const view = viewWithoutConfig(RESOLUTION);
  const report = async (afterMs: number, more: Partial<typeof FACTS>): Promise<number> => {
    clock.now += afterMs;
    await reporter.reportNodeConfig({ reading: readingOf("u1"), resolution: RESOLUTION }, { ...FACTS, view, ...more });
    return kube.patches;
  };
  assertEquals(await report(0, { pods: 1 }), 1);
  assertEquals(await report(1_000, { pods: 2 }), 1);
  assertEquals(await report(8_000, { pods: 3 }), 1);
  assertEquals(await report(1_000, { pods: 3 }), 2);
  assertEquals(await report(1_000, { pods: 4, pools: FACTS.pools.map((pool) => ({ ...pool, used: 5 })) }), 3);
});

Deno.test("an agent that starts leaves conditions as they were while it does not know, and keeps since when they hold", async () => {
  const patches: unknown[] = [];
  const [kube, clock] = [new TestKube(), new TestClock()];
  kube.patchStatus = (...[, patch]: Parameters<TestKube["patchStatus"]>): Promise<void> =>
    Promise.resolve(void patches.push(patch));
  const reporter = new StatusReporter({ nodeName: "node-a", kube, clock, logger });
  const transitions = [
    { type: "Ready", status: "True", since: "2026-01-01T00:00:00Z" },
    { type: "PolicyInSync", status: "False", since: "2026-01-02T00:00:00Z" },
    { type: "BGPEstablished", status: "False", since: "2026-01-03T00:00:00Z" },
  ];
  const judged = { reading: readingOf("u1", { transitions }), resolution: RESOLUTION };
  const peered = { ...CONFIG, bgp: { asn: 65101, peers: [{ address: PEER, asn: 65000 }] } };
  const view = viewWithoutConfig({ ...RESOLUTION, inForce: peered });
  const unasked = { ...FACTS.sessions, asked: false };
  await reporter.reportNodeConfig(judged, { ...FACTS, view, sessions: unasked });
  assertEquals(patches, []);
  clock.now += 1_000;
  await reporter.reportNodeConfig(judged, { ...FACTS, view });
  const { conditions } = Object(patches[0]).status;
  const since = Object.fromEntries(
    conditions.map((each: Record<string, string>) => [each["type"], each["lastTransitionTime"]]),
  );
  assertEquals([since["Ready"], since["BGPEstablished"]], ["2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"]);
  assertEquals(since["PolicyInSync"], "1970-01-01T00:16:41Z");
});

Deno.test("reportNode() says on the Node that its NodeConfig was deleted, as long as that is so, and that the network is up all the same", async () => {
  const messages: string[] = [];
  const kube = new TestKube();
  kube.patchStatus = (...[, patch]: Parameters<TestKube["patchStatus"]>): Promise<void> => {
    const [{ type, status, reason, message }] = Object(patch).status.conditions;
    return Promise.resolve(void messages.push([type, status, reason, message].join(" ")));
  };
  const reporter = new StatusReporter({ nodeName: "node-a", kube, clock: new TestClock(), logger });
  const message = 'NodeConfig "node-a" was deleted; its last content stays in force';
  for (const verdict of [undefined, { reason: "Deleted", message } as const, RESOLUTION.verdict]) {
    await reporter.reportNode(verdict);
  }
  const up = "NetworkUnavailable False FlockReady flock serves pods on this node";
  assertEquals(messages, [up, `${up}: ${message}`, up]);
});
