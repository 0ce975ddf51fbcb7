import { assertEquals, assertMatch } from "@std/assert";
import { parseAddress } from "../ip/address.ts";
import { createIpam } from "../ipam/create_ipam.ts";
import { CONFIG, know, openFixture, rawPod, request } from "./_agent_fixture.ts";
import type { NodeView } from "./node_reconciler.ts";
import { type SnapshotSources, takeSnapshot } from "./take_snapshot.ts";

const ANYCAST = "198.51.100.7";

function addressOf(text: string): NonNullable<ReturnType<typeof parseAddress>> {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`Cannot parse ${text}`);
  return address;
}

/** Of an agent that has not heard anything yet; tests add what it has. */
async function openAgent(): Promise<
  AsyncDisposable & { from: SnapshotSources; fixture: Awaited<ReturnType<typeof openFixture>> }
> {
  const fixture = await openFixture();
  const { ledger, lastRequests, policies, sources, clock, watched } = fixture;
  const nothing = { view: undefined, resolution: undefined, judged: undefined };
  const from: SnapshotSources = {
    ...{ nodeName: "node-a", startedAt: 0, ledger, lastRequests, policies, sources, clock, reconciler: nothing },
    ipam: createIpam({ clock, random: () => 0n }),
    pods: { items: watched },
    sessions: { view: { sessions: undefined, everEstablished: false, asked: false } },
    reporter: { conditions: [] },
    watches: { open: [] },
    state: { lastFailure: undefined },
    journal: { repairs: [], failures: [] },
  };
  return { from, fixture, [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose]() };
}

Deno.test("takeSnapshot() answers before anything was heard, and says so", async () => {
  await using agent = await openAgent();
  const { nodeConfig, bird, pods, pools, sessions, policy } = takeSnapshot(agent.from);
  assertEquals([nodeConfig.reason, bird.applied, pods, pools, sessions, policy.inForce], [
    ...["Unheard", false, [], [], undefined, false],
  ]);
});

Deno.test("takeSnapshot() tells of each pod what the record, the watch and the last announcement say", async () => {
  await using agent = await openAgent();
  const { from, fixture } = agent;
  const raw = rawPod("web", { annotations: { "flock.fritzlab.net/anycast": ANYCAST } });
  fixture.kube.pods.set("/api/v1/namespaces/ns/pods/web", raw);
  know(fixture, raw);
  const args = "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web;K8S_POD_UID=uid-1";
  await fixture.service.handle(request(fixture, "ADD", { args }));
  const [before] = takeSnapshot(from).pods;
  assertEquals([before?.namespace, before?.name, before?.state, before?.ready], ["ns", "web", "committed", false]);
  const { verb, error } = before?.lastRequest ?? {};
  assertEquals([verb, error, before?.lastRequestId], ["ADD", undefined, fixture.lastRequests.lastOf("c1")?.requestId]);
  assertEquals(before?.addresses.length, 2);
  assertEquals(before?.annotations, { anycast: ANYCAST });
  assertEquals(before?.anycast, [{ address: ANYCAST, advertised: false, reason: "pending" }]);
  assertMatch(String(before?.since), /^\d{4}-\d\d-\d\dT/);
  const inForce = { ...CONFIG, bgp: { asn: 65101, peers: [{ address: addressOf("192.0.2.1"), asn: 65000 }] } };
  const resolution = { inForce, verdict: { reason: "Accepted" as const, message: "in force" }, warnings: [] };
  const decided = (serves: boolean): NodeView => ({
    ...{ resolution, bird: { applied: true }, advertised: serves ? [`${ANYCAST}/32`] : [] },
    anycast: [
      serves
        ? { address: addressOf(ANYCAST), owner: "ns/web", serves }
        : { address: addressOf(ANYCAST), owner: "ns/web", serves, reason: "notReady" },
    ],
  });
  const anycastOf = (serves: boolean): unknown =>
    takeSnapshot({ ...from, reconciler: { view: decided(serves), resolution, judged: undefined } }).pods[0]?.anycast;
  assertEquals(anycastOf(false), [{ address: ANYCAST, advertised: false, reason: "notReady" }]);
  assertEquals(anycastOf(true), [{ address: ANYCAST, advertised: true }]);
});

Deno.test("takeSnapshot() counts each pool: what is in use, what rests, and all that it has, which no number could hold", async () => {
  await using agent = await openAgent();
  const { from, fixture } = agent;
  const ipam = createIpam({ clock: fixture.clock, random: () => 5n });
  ipam.take(addressOf("203.0.113.2"));
  ipam.take(addressOf("203.0.113.3"));
  ipam.release(addressOf("203.0.113.3"));
  const resolution = { inForce: CONFIG, verdict: { reason: "Accepted" as const, message: "in force" }, warnings: [] };
  const { pools, nodeConfig } = takeSnapshot({
    ...{ ...from, ipam },
    reconciler: { view: undefined, resolution, judged: undefined },
  });
  assertEquals(pools, [
    { cidr: "2001:db8:f001::/64", family: 6, usable: "18446744073709551615", used: 0, resting: 0 },
    { cidr: "203.0.113.0/29", family: 4, usable: "5", used: 1, resting: 1 },
  ]);
  assertEquals(nodeConfig.inForce, {
    ...{ generation: 1, cidr6: ["2001:db8:f001::/64"], cidr4: ["203.0.113.0/29"], peers: [] },
  });
});

Deno.test("takeSnapshot() tells what keeps a NodeConfig or the state from being as they should", async () => {
  await using agent = await openAgent();
  const resolution = {
    inForce: CONFIG,
    verdict: { reason: "Accepted" as const, message: "in force" },
    warnings: ["a"],
  };
  const view = {
    resolution,
    advertised: [],
    anycast: [],
    bird: { applied: true },
    warnings: ["b"],
    bgpProblems: ["c"],
  };
  const judged = { reading: undefined, resolution, failure: "d" };
  const { nodeConfig: { warnings, bgpProblems, failure }, stateFailure } = takeSnapshot({
    ...{ ...agent.from, state: { lastFailure: "e" } },
    reconciler: { view: { ...view, bird: { applied: true } }, resolution, judged },
  });
  assertEquals([warnings, bgpProblems, failure, stateFailure], [["a", "b"], ["c"], "d", "e"]);
});
