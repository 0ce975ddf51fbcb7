import { assert, assertEquals, assertObjectMatch } from "@std/assert";
import { parseAddress } from "../ip/address.ts";
import { CONFIG, logger, TestClock, TestKube } from "./_agent_fixture.ts";
import { StatusReporter, viewWithoutConfig } from "./status_reporter.ts";

const POLICIES = { inForce: true, problems: [], failure: undefined };
const sessions = { sessions: undefined, everEstablished: false };

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
    reporter.reportNodeConfig({ name: "node-a", uid, generation: 1, outcome: CONFIG, advertised: [] }, {
      ...{ view, sessions, policies: POLICIES },
    });
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
  const resolution = { inForce: CONFIG, verdict: { reason: "Accepted", message: "in force" }, warnings: [] } as const;
  const [one, two] = ["192.0.2.53", "2001:db8:53::1"].flatMap((text) => parseAddress(text) ?? []);
  assert(one !== undefined && two !== undefined);
  const view = {
    ...viewWithoutConfig(resolution),
    advertised: ["192.0.2.53/32"],
    anycast: [
      { address: one, owner: "ns/a", serves: true },
      { address: one, owner: "ns/b", serves: false, reason: "notReady" },
      { address: two, owner: "ns/b", serves: false, reason: "terminating" },
    ],
  } as const;
  const reading = { name: "node-a", uid: "u1", generation: 1, outcome: CONFIG, advertised: [] };
  await reporter.reportNodeConfig(reading, { view, sessions, policies: POLICIES });
  assertObjectMatch(Object(patches[0]), {
    status: {
      anycast: [
        { address: "192.0.2.53", advertised: true, pods: ["ns/a"], waiting: [{ pod: "ns/b", reason: "notReady" }] },
        { address: "2001:db8:53::1", advertised: false, pods: [], waiting: [{ pod: "ns/b", reason: "terminating" }] },
      ],
    },
  });
});

Deno.test("reportNodeConfig() lists no more prefixes than the schema allows, the node's CIDRs before all others", async () => {
  const patches: unknown[] = [];
  const kube = new TestKube();
  kube.patchStatus = (...[, patch]: Parameters<TestKube["patchStatus"]>): Promise<void> =>
    Promise.resolve(void patches.push(patch));
  const reporter = new StatusReporter({ nodeName: "node-a", kube, clock: new TestClock(), logger });
  const resolution = { inForce: CONFIG, verdict: { reason: "Accepted", message: "in force" }, warnings: [] } as const;
  const own = [...CONFIG.cidr6, ...CONFIG.cidr4].map(({ text }) => text);
  const hosts = Array.from({ length: 5000 }, (_, index) => `100.64.${index >> 8}.${index & 255}/32`);
  const view = { ...viewWithoutConfig(resolution), advertised: [...hosts, ...own].sort() };
  const reading = { name: "node-a", uid: "u1", generation: 1, outcome: CONFIG, advertised: [] };
  await reporter.reportNodeConfig(reading, { view, sessions, policies: POLICIES });
  const { advertised } = Object(patches[0]).status;
  assertEquals([advertised.length, own.every((text) => advertised.includes(text))], [4096, true]);
});

Deno.test("reportNodeConfig() says whether policies are in force, and names some of those that are not (NP-61)", async () => {
  const patches: unknown[] = [];
  const kube = new TestKube();
  kube.patchStatus = (...[, patch]: Parameters<TestKube["patchStatus"]>): Promise<void> =>
    Promise.resolve(void patches.push(patch));
  const reporter = new StatusReporter({ nodeName: "node-a", kube, clock: new TestClock(), logger });
  const view = viewWithoutConfig({
    inForce: CONFIG,
    verdict: { reason: "Accepted", message: "in force" },
    warnings: [],
  });
  const reading = { name: "node-a", uid: "u1", generation: 1, outcome: CONFIG, advertised: [] };
  const report = async (inForce: boolean, bad: number, failure?: string): Promise<string[]> => {
    const problems = Array.from({ length: bad }, (_, index) => ({
      policy: { namespace: "ns", name: `bad-${index}` },
      ...{ reason: "PolicyInvalid" as const, state: "no" },
    }));
    await reporter.reportNodeConfig(reading, { view, sessions, policies: { inForce, problems, failure } });
    const { status, reason, message } = Object(patches.at(-1)).status.conditions.at(-1);
    return [status, reason, message];
  };
  assertEquals(await report(false, 0), ["False", "NotHeard", "the policies have not been listed yet"]);
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
