import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { MemorySources } from "../../tests/fakes/memory_sources.ts";
import { CniError } from "../cnispec/cni_error.ts";
import { hostLinkName } from "../hash/container_hash.ts";
import type { Allocation } from "../ipam/allocation.ts";
import { KubeError } from "../kube/kube_client.ts";
import { parsePod } from "../pod/parse_pod.ts";
import { type Fixture, know, logger, openFixture, rawPod } from "./_agent_fixture.ts";
import { allowing, isolated, openPolicyFixture, policyOf, requestOf } from "./_policy_fixture.ts";
import { PolicyIsolation } from "./policy_isolation.ts";
import { PolicyNamespaces } from "./policy_namespaces.ts";

const LINK = hostLinkName("c1");
const IDENTITY = { namespace: "ns", name: "web", uid: "uid-1" };

async function refused(fixture: Fixture, raw: Record<string, unknown>): Promise<CniError> {
  return await assertRejects(() => fixture.service.handle(raw), CniError);
}

Deno.test("ADD has the isolation in force before the link is there, and answers after (NP-45)", async () => {
  await using fixture = await openPolicyFixture(policyOf("deny"));
  const { kernel, policyTable } = fixture;
  const seen: number[] = [];
  policyTable.before = () => void seen.push(kernel.attaches + kernel.links.size);
  await fixture.service.handle(requestOf(fixture, "ADD"));
  assertEquals([seen, isolated(fixture), kernel.links.size], [[0], [LINK], 1]);
});

Deno.test("ADD answers only when the isolation is in force, however long that takes (NP-45)", async () => {
  await using fixture = await openPolicyFixture(policyOf("deny"));
  const { promise, resolve } = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  fixture.policyTable.before = () => {
    reached.resolve();
    return promise;
  };
  let answered = false;
  const answer = fixture.service.handle(requestOf(fixture, "ADD")).then(() => (answered = true));
  await reached.promise;
  await new Promise((done) => setTimeout(done, 20));
  assertEquals([answered, fixture.kernel.links.size], [false, 0]);
  resolve();
  await answer;
  assertEquals(isolated(fixture), [LINK]);
});

Deno.test("ADD of a pod that no policy selects asks nft nothing about policies", async () => {
  await using fixture = await openPolicyFixture(policyOf("others", { podSelector: { matchLabels: { app: "other" } } }));
  await fixture.service.handle(requestOf(fixture, "ADD"));
  await fixture.service.handle(requestOf(fixture, "DEL"));
  assertEquals(fixture.policyTable.asked, []);
});

Deno.test("ADD while the table is gone: it is made anew, and never answered without isolation (NP-45)", async () => {
  await using fixture = await openPolicyFixture(policyOf("deny"));
  fixture.policyTable.kernel.table = undefined;
  await fixture.service.handle(requestOf(fixture, "ADD"));
  assertEquals([fixture.policyTable.asked, isolated(fixture)], [["change", "replace"], [LINK]]);
});

Deno.test("ADD whose isolation cannot be had fails with code 11, and leaves nothing, also of the isolation", async () => {
  await using fixture = await openPolicyFixture(policyOf("deny"));
  const { policyTable, kernel, ledger, guard } = fixture;
  policyTable.refuses = (text) => text.includes(LINK) ? "Error: no" : undefined;
  const error = await refused(fixture, requestOf(fixture, "ADD"));
  assertEquals([error.code, kernel.attaches, ledger.all().length, guard.grants?.size], [11, 0, 0, 0]);
  assertStringIncludes(error.message, `Cannot isolate ${LINK}`);
  policyTable.refuses = () => undefined;
  await fixture.policies.settle();
  assertEquals(isolated(fixture), []);
  await fixture.service.handle(requestOf(fixture, "ADD"));
  assertEquals(isolated(fixture), [LINK]);
});

Deno.test("ADD that fails later takes its isolation back", async () => {
  await using fixture = await openPolicyFixture(policyOf("deny"));
  fixture.kernel.failWith = new Error("no veth");
  await assertRejects(() => fixture.service.handle(requestOf(fixture, "ADD")), Error, "no veth");
  await fixture.policies.settle();
  assertEquals(isolated(fixture), []);
});

Deno.test("DEL takes the isolation away when the link is gone, and not before", async () => {
  await using fixture = await openPolicyFixture(policyOf("deny"));
  await fixture.service.handle(requestOf(fixture, "ADD"));
  fixture.kernel.keeps = true;
  await assertRejects(() => fixture.service.handle(requestOf(fixture, "DEL")), Error, "the kernel keeps it");
  know(fixture, rawPod("web", { uid: "uid-2" })); // whatever brings the next pass about
  await fixture.policies.settle();
  assertEquals(isolated(fixture), [LINK]);
  fixture.kernel.keeps = false;
  await fixture.service.handle(requestOf(fixture, "DEL"));
  await fixture.policies.settle();
  assertEquals(isolated(fixture), []);
});

Deno.test("ADD repeated puts the isolation in force again", async () => {
  await using fixture = await openPolicyFixture(policyOf("deny"));
  const first = await fixture.service.handle(requestOf(fixture, "ADD"));
  fixture.sources.setPolicy(allowing(80));
  assertEquals(await fixture.service.handle(requestOf(fixture, "ADD")), first);
  assertStringIncludes(fixture.policyTable.written.join("\n"), "dport 80");
});

Deno.test("CHECK names what is missing of a pod's isolation, and is silent about other pods'", async () => {
  await using fixture = await openPolicyFixture(policyOf("deny"));
  const check = async (): Promise<string> =>
    await fixture.service.handle(checkOf(fixture, result)).then(() => "", String);
  const result = await fixture.service.handle(requestOf(fixture, "ADD"));
  await fixture.service.handle(requestOf(fixture, "ADD", "c2"));
  assertEquals(await check(), "");
  const pods = fixture.policyTable.kernel.table?.sets.get("ingress_pods");
  pods?.delete(`${hostLinkName("c2")} : goto to_${hostLinkName("c2")}`);
  assertEquals(await check(), "");
  pods?.delete(`${LINK} : goto to_${LINK}`);
  assertStringIncludes(await check(), `set ingress_pods lacks ${LINK} : goto to_${LINK}`);
  fixture.policyTable.kernel.table = undefined;
  assertStringIncludes(await check(), "the table of the policies, which isolate the pod, is missing");
});

function checkOf(fixture: Fixture, prevResult: unknown): Record<string, unknown> {
  const request = requestOf(fixture, "CHECK");
  return { ...request, config: { ...Object(request["config"]), prevResult } };
}

Deno.test("ADD of a pod whose labels cannot be learned answers 11 where its namespace has a policy, and only there", async () => {
  await using fixture = await openFixture({ remembered: new Set<string>() });
  fixture.kube.failure = new KubeError("Cannot GET: refused", undefined);
  const runtimeConfig = { "io.kubernetes.cri.pod-annotations": {} };
  const passedOn = (): Record<string, unknown> => {
    fixture.clock.now += 1;
    const request = requestOf(fixture, "ADD");
    return { ...request, config: { ...Object(request["config"]), runtimeConfig } };
  };
  await fixture.policies.settle();
  await fixture.service.handle(passedOn());
  await fixture.service.handle(requestOf(fixture, "DEL"));
  fixture.sources.setPolicy(policyOf("deny"));
  await fixture.policies.settle();
  const error = await refused(fixture, passedOn());
  assertEquals(error.code, 11);
  assertStringIncludes(error.message, "its labels are unknown");
  know(fixture, rawPod("web"));
  await fixture.service.handle(passedOn());
  assertEquals(isolated(fixture), [LINK]);
});

/** An agent that has just started; `remembered` are the namespaces that had policies as far as the one before had heard. */
async function starting(remembered: ReadonlySet<string> | undefined): Promise<
  { fixture: Fixture; isolation: PolicyIsolation; clock: HandClock; sources: MemorySources } & AsyncDisposable
> {
  const sources = new MemorySources(false);
  const fixture = await openFixture({ sources });
  const clock = new HandClock();
  const memory = { load: () => remembered, save: () => Promise.resolve() };
  const namespaces = new PolicyNamespaces({ sources, memory, logger });
  const { policies: reconciler, policyTable: table } = fixture;
  const isolation = new PolicyIsolation({ reconciler, namespaces, table, clock });
  return { fixture, isolation, clock, sources, [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose]() };
}

Deno.test("an agent that has not heard of the policies yet makes a pod wait, then answers 11, where policies may exist (NP-47)", async () => {
  const pod = parsePod(rawPod("web"));
  for (const remembered of [undefined, new Set(["ns"])]) {
    await using agent = await starting(remembered);
    const answer = agent.isolation.admit(IDENTITY, pod).then(() => undefined, (error: unknown) => error);
    await agent.clock.pass(10_000);
    const error = await answer;
    assert(error instanceof CniError);
    assertEquals([error.code, error.message], [
      11,
      "Cannot isolate pod ns/web: the API server has not told of all policies yet",
    ]);
  }
  for (const remembered of [new Set<string>(), new Set(["other"])]) {
    await using agent = await starting(remembered);
    const admitted = agent.isolation.admit(IDENTITY, undefined);
    await agent.clock.pass(10_000);
    await admitted;
    await agent.isolation.admit(IDENTITY, pod);
  }
  await using agent = await starting(undefined);
  await agent.isolation.admit(undefined, undefined);
});

Deno.test("a policy that came while no agent ran isolates a pod whose ADD is there before the list of policies is (NP-45, NP-47)", async () => {
  await using agent = await starting(new Set(["other"]));
  let admitted = false;
  const answer = agent.isolation.admit(IDENTITY, parsePod(rawPod("web"))).then(() => (admitted = true));
  await agent.clock.pass(1_000);
  assertEquals(admitted, false);
  agent.sources.setPolicy(policyOf("deny"));
  await agent.clock.pass(1_000);
  assertEquals(admitted, false, "the pods of the cluster are not listed yet");
  agent.sources.sync();
  await agent.fixture.policies.settle();
  await agent.clock.pass(100);
  await answer;
});

Deno.test("the cluster's first policy, come while an ADD runs, isolates its pod before the link is there (NP-45)", async () => {
  for (const told of [true, false]) {
    await using agent = await starting(undefined);
    const { isolation, sources, clock, fixture: { policies } } = agent;
    sources.sync();
    await policies.settle();
    const pod = parsePod(rawPod("web"));
    await isolation.admit(IDENTITY, pod);
    sources.synced = false; // the pods and namespaces of the cluster are listed only from now on
    sources.setPolicy(policyOf("deny"));
    const answer = isolation.isolate(allocationOf(LINK), pod).then(() => "isolated", (error: unknown) => error);
    await clock.pass(1_000);
    assertEquals(isolated(agent.fixture), []);
    if (told) sources.sync();
    await policies.settle();
    await clock.pass(10_000);
    const outcome = await answer;
    assertEquals(outcome instanceof CniError ? outcome.code : outcome, told ? "isolated" : 11);
    assertEquals(isolated(agent.fixture), told ? [LINK] : []);
  }
});

/** @returns that of pod `ns/web` */
function allocationOf(hostLink: string): Allocation {
  return {
    ...{ network: "flock", containerId: "c1", ifname: "eth0", netns: "/run/netns/c1", hostLink },
    ...{ podMac: "02:00:00:00:00:01", mtu: 1500, state: "pending", createdAt: 0, pod: IDENTITY },
  };
}

Deno.test("a pod that waits for the policies goes on as soon as they are in force", async () => {
  await using agent = await starting(undefined);
  let admitted = false;
  const answer = agent.isolation.admit(IDENTITY, parsePod(rawPod("web"))).then(() => (admitted = true));
  await agent.clock.pass(1_000);
  assertEquals(admitted, false);
  agent.sources.setPolicy(policyOf("deny"));
  agent.sources.sync();
  await agent.fixture.policies.settle();
  await agent.clock.pass(100);
  await answer;
});
