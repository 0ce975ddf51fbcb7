import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { until } from "../../tests/lab/until.ts";
import { MemorySources } from "../../tests/fakes/memory_sources.ts";
import { hostLinkName } from "../hash/container_hash.ts";
import { TransactionRefused } from "../nft/text_table.ts";
import { renderPolicyTable } from "../policy/render_policy_table.ts";
import { know, openFixture, rawPod } from "./_agent_fixture.ts";
import { allowing, isolated, openPolicyFixture, policyOf, requestOf } from "./_policy_fixture.ts";

const LINK = hostLinkName("c1");

Deno.test("nothing is written before everything was heard, then the whole table in one transaction (NP-46, NP-47)", async () => {
  const sources = new MemorySources(false);
  await using fixture = await openFixture({ sources });
  sources.setPolicy(allowing(80));
  await fixture.policies.settle();
  assertEquals([fixture.policyTable.asked, fixture.policies.inForce], [[], false]);
  sources.sync();
  await fixture.policies.settle();
  assertEquals([fixture.policyTable.asked, fixture.policies.inForce], [["replace"], true]);
});

Deno.test("a burst of events is one transaction, and none asks nft nothing", async () => {
  await using fixture = await openPolicyFixture();
  await fixture.service.handle(requestOf(fixture, "ADD"));
  const { asked } = fixture.policyTable;
  assertEquals(asked, [], "no policy selects it");
  for (let port = 1; port <= 20; port++) fixture.sources.setPolicy(allowing(port));
  await Promise.all([fixture.policies.settle(), fixture.policies.settle()]);
  assertEquals([asked, isolated(fixture)], [["change"], [LINK]]);
  await fixture.policies.settle();
  assertEquals(asked, ["change"]);
});

Deno.test("what changes while a transaction runs is in the next one", async () => {
  await using fixture = await openPolicyFixture(allowing(80));
  await fixture.service.handle(requestOf(fixture, "ADD"));
  const { asked } = fixture.policyTable;
  asked.length = 0;
  fixture.policyTable.before = () => {
    fixture.policyTable.before = () => {};
    for (const port of [82, 83]) fixture.sources.setPolicy(allowing(port));
    void fixture.policies.settle();
  };
  fixture.sources.setPolicy(allowing(81));
  await fixture.policies.settle();
  assertEquals(asked, ["change"]);
  await fixture.policies.settle();
  assertEquals(asked, ["change", "change"]);
});

Deno.test("what is told of how long programming took is from hearing to the kernel, of changes that the kernel has", async () => {
  await using fixture = await openPolicyFixture();
  await fixture.service.handle(requestOf(fixture, "ADD"));
  const told: number[] = [];
  fixture.policies.onProgrammed((seconds) => void told.push(seconds));
  fixture.sources.setPolicy(policyOf("elsewhere", { podSelector: { matchLabels: { app: "none" } } }));
  fixture.clock.now += 5_000;
  await fixture.policies.settle();
  assertEquals(told, [], "it changes nothing on this node");
  fixture.sources.setPolicy(allowing(80));
  fixture.clock.now += 40;
  fixture.sources.setPolicy(allowing(81));
  fixture.policyTable.before = () => {
    fixture.policyTable.before = () => {};
    fixture.clock.now += 20;
  };
  await fixture.policies.settle();
  assertEquals(told, [0.06]);
});

Deno.test("a policy that nft refuses is found by a few questions: its pods fail closed, all others go on (NP-61)", async () => {
  const policies = Array.from({ length: 64 }, (_, index) => allowing(1000 + index));
  await using fixture = await openPolicyFixture();
  await fixture.service.handle(requestOf(fixture, "ADD"));
  const { policyTable, kube } = fixture;
  policyTable.refuses = (text) => text.includes("1042") ? "Error: Could not process rule" : undefined;
  for (const each of policies) fixture.sources.setPolicy(each);
  await fixture.policies.settle();
  assertEquals([policyTable.asked[0], ...policyTable.asked.slice(-1)], ["change", "replace"]);
  const questions = policyTable.asked.filter((what) => what === "refusal").length;
  assert(questions <= 2 * Math.log2(64) + 4, `${questions} questions`);
  const text = policyTable.written.join("\n");
  assertEquals(policies.filter((_, index) => !text.includes(`dport ${1000 + index} accept`)).map(({ name }) => name), [
    "allow-1042",
  ]);
  assertEquals(isolated(fixture), [LINK]);
  assertEquals(fixture.policies.problems.map(({ policy, reason }) => [policy.name, reason]), [[
    "allow-1042",
    "PolicyQuarantined",
  ]]);
  const [event] = kube.events.filter(({ reason }) => reason === "PolicyQuarantined");
  assertEquals([event?.involved.kind, event?.involved.namespace, event?.involved.name], [
    "NetworkPolicy",
    "ns",
    "allow-1042",
  ]);
  assertStringIncludes(event?.message ?? "", "Could not process rule");
});

Deno.test("a policy in quarantine is tried again when it changes, and not before (NP-61)", async () => {
  await using fixture = await openPolicyFixture();
  await fixture.service.handle(requestOf(fixture, "ADD"));
  const { policyTable } = fixture;
  policyTable.refuses = (text) => text.includes("666") ? "Error: no" : undefined;
  fixture.sources.setPolicy(allowing(666, "bad"));
  await fixture.policies.settle();
  policyTable.asked.length = 0;
  fixture.sources.setPolicy(allowing(80));
  await fixture.policies.settle();
  assertEquals([policyTable.asked, fixture.policies.problems.length], [["change"], 1]);
  fixture.sources.setPolicy(allowing(667, "bad"));
  await fixture.policies.settle();
  assertEquals([policyTable.asked, fixture.policies.problems], [["change", "change"], []]);
});

Deno.test("what nft refuses whatever the policies say is tried again, and leaves the table as it was", async () => {
  await using fixture = await openPolicyFixture(allowing(80));
  await fixture.service.handle(requestOf(fixture, "ADD"));
  const { policyTable } = fixture;
  const before = policyTable.written.join("\n");
  policyTable.refuses = () => "Error: Cannot allocate memory";
  fixture.sources.setPolicy(allowing(81));
  await assertRejects(() => fixture.policies.settle(), Error, "Cannot allocate memory");
  assertEquals([policyTable.written.join("\n"), fixture.policies.problems], [before, []]);
  assertStringIncludes(fixture.policies.failure ?? "none", "Cannot allocate memory");
  policyTable.refuses = () => undefined;
  await fixture.policies.settle();
  assertEquals(fixture.policies.failure, undefined);
  assertStringIncludes(policyTable.written.join("\n"), "dport 81");
});

Deno.test("what nft refuses once, and takes when it is asked again, is no policy's fault (NP-61)", async () => {
  await using fixture = await openPolicyFixture(allowing(80));
  await fixture.service.handle(requestOf(fixture, "ADD"));
  const { policyTable, policies, sources } = fixture;
  let refusals = 0;
  policyTable.before = () => {
    if (refusals === 0) return;
    refusals--;
    throw new TransactionRefused("inet flock-policy", "Error: Cannot allocate memory");
  };
  refusals = 2; // the change, and the whole table
  sources.setPolicy(allowing(81));
  await policies.settle();
  assertEquals([policies.problems, refusals], [[], 0]);
  assertStringIncludes(policyTable.written.join("\n"), "dport 81");
  refusals = 3;
  sources.setPolicy(allowing(82));
  await assertRejects(() => policies.settle(), TransactionRefused);
  await policies.settle();
  assertEquals(policies.problems, []);
  assertStringIncludes(policyTable.written.join("\n"), "dport 82");
});

Deno.test("an nft that dies under a transaction leaves nothing to chance: the table is replaced whole", async () => {
  await using fixture = await openPolicyFixture(allowing(80));
  await fixture.service.handle(requestOf(fixture, "ADD"));
  const { policyTable } = fixture;
  policyTable.asked.length = 0;
  policyTable.before = (what) => what === "change" ? Promise.reject(new Error("it ended with exit code 1")) : undefined;
  fixture.sources.setPolicy(allowing(81));
  fixture.policies.doubt({ touched: true });
  for (let pass = 0; pass < 2; pass++) await fixture.policies.settle();
  assertEquals(policyTable.asked, ["change", "replace"], "what is new is in no doubt");
  assertStringIncludes(policyTable.written.join("\n"), "dport 81");
});

Deno.test("a policy with a defect is told of where it selects a pod, once, and only there (NP-61)", async () => {
  const bad = policyOf("bad", { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/33" } }] }] });
  await using fixture = await openPolicyFixture(bad, allowing(80));
  assertEquals([fixture.policies.problems, fixture.kube.events], [[], []]);
  await fixture.service.handle(requestOf(fixture, "ADD"));
  for (let pass = 0; pass < 3; pass++) await fixture.policies.settle();
  assertEquals(fixture.kube.events.map(({ reason, involved }) => [reason, involved.name]), [["PolicyInvalid", "bad"]]);
  assertStringIncludes(fixture.kube.events[0]?.message ?? "", "10.0.0.0/33");
  fixture.sources.deletePolicy("ns/bad");
  await fixture.policies.settle();
  assertEquals(fixture.policies.problems, []);
});

Deno.test("a table that others have touched is replaced at once; one that was not, only where it differs", async () => {
  await using fixture = await openPolicyFixture(allowing(80));
  await fixture.service.handle(requestOf(fixture, "ADD"));
  const { policies, policyTable } = fixture;
  const look = async (touched: boolean): Promise<string[]> => {
    policyTable.asked.length = 0;
    policies.doubt({ touched });
    await policies.settle();
    return policyTable.asked;
  };
  assertEquals(await look(false), []);
  assertEquals(await look(true), ["replace"]);
  policyTable.kernel.table?.sets.get("ingress_pods")?.clear();
  assertEquals([await look(false), isolated(fixture)], [["replace"], [LINK]]);
  policyTable.kernel.table = undefined;
  assertEquals([await look(false), isolated(fixture)], [["replace"], [LINK]]);
});

Deno.test("a pod that comes while nft works is in what it writes next, is no difference, and nothing is written twice", async () => {
  for (const dies of [true, false]) {
    await using fixture = await openPolicyFixture(allowing(80));
    const { policies, policyTable } = fixture;
    let late: Promise<unknown> = Promise.resolve();
    policyTable.before = async () => {
      policyTable.before = () => {};
      late = fixture.service.handle(requestOf(fixture, "ADD", "c2"));
      await until("the compiler knows it", () => policies.table.pods.has(hostLinkName("c2")));
      if (dies) throw new Error("nft died");
    };
    if (!dies) policies.doubt({ touched: false });
    await fixture.service.handle(requestOf(fixture, "ADD"));
    await late;
    assertEquals(policyTable.asked, dies ? ["change", "replace"] : ["change", "change"]);
    assertEquals([await policyTable.drift(renderPolicyTable(policies.table)), isolated(fixture).length], [[], 2]);
  }
});

Deno.test("a policy that is mended while offenders are searched for is in no quarantine", async () => {
  await using fixture = await openPolicyFixture();
  await fixture.service.handle(requestOf(fixture, "ADD"));
  const { policies, policyTable, sources } = fixture;
  policyTable.refuses = (text) => text.includes("1005") ? "Error: no" : undefined;
  const refusal = policyTable.refusal.bind(policyTable);
  let asked = 0;
  policyTable.refusal = async (text) => {
    const answer = await refusal(text);
    if (++asked === 3) sources.setPolicy(allowing(2000, "allow-1005"));
    policies.isolates({ namespace: "ns", ports: [], logDrops: false }); // as an ADD asks
    return answer;
  };
  for (let port = 1000; port < 1010; port++) sources.setPolicy(allowing(port));
  await policies.settle();
  await policies.settle();
  assertEquals([policies.problems, asked > 3], [[], true]);
  assertEquals(await policyTable.drift(renderPolicyTable(policies.table)), []);
  assertStringIncludes(renderPolicyTable(policies.table), "2000");
});

Deno.test("a look that fails is made again", async () => {
  await using fixture = await openPolicyFixture(allowing(80));
  const { policies, policyTable } = fixture;
  const drift = policyTable.drift.bind(policyTable);
  policyTable.drift = () => Promise.reject(new Error("nft hangs"));
  policyTable.kernel.table = undefined;
  policies.doubt({ touched: false });
  await assertRejects(() => policies.settle(), Error, "nft hangs");
  policyTable.drift = drift;
  await policies.settle();
  assertEquals(policyTable.asked, ["replace"]);
});

Deno.test("a pod whose object is gone stays isolated as it was, as long as its link is there", async () => {
  const web = { podSelector: { matchLabels: { app: "web" } } };
  await using fixture = await openPolicyFixture(
    policyOf("web", web),
    policyOf("others", { podSelector: { matchLabels: { app: "other" } } }),
  );
  know(fixture, rawPod("web", { labels: { app: "web" } }));
  await fixture.service.handle(requestOf(fixture, "ADD"));
  assertEquals(isolated(fixture), [LINK]);
  fixture.watched.clear();
  fixture.podsChanged();
  await fixture.policies.settle();
  assertEquals(isolated(fixture), [LINK]);
  know(fixture, rawPod("web", { uid: "uid-2" }));
  await fixture.policies.settle();
  assertEquals(isolated(fixture), [LINK], "another pod of its name");
  await fixture.service.handle(requestOf(fixture, "DEL"));
  await fixture.policies.settle();
  assertEquals(isolated(fixture), []);
});
