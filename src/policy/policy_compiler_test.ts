import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { explainNames } from "./describe.ts";
import { compilePolicyTable } from "./testdata/compile_policy_table.ts";
import { PolicyCompiler } from "./policy_compiler.ts";
import { renderPolicyTable } from "./render_policy_table.ts";
import { chainName } from "./names.ts";
import type { NetworkPolicy } from "./network_policy.ts";
import type { PolicyChanges } from "./policy_changes.ts";
import type { PolicyPod } from "./policy_world.ts";
import { worldOf } from "./testdata/_policy_fixture.ts";
import { applyChanges, EMPTY_TABLE } from "./testdata/_apply_changes.ts";
import { ChangingWorld, policyEvents } from "./testdata/_policy_events.ts";

Deno.test("PolicyCompiler gives the table that compilePolicyTable() gives, and changes that lead there, whatever happened before", () => {
  fc.assert(
    fc.property(
      fc.array(policyEvents, { maxLength: 60, size: "max" }),
      fc.infiniteStream(fc.nat(2)),
      (events, takes) => {
        const [world, compiler] = [new ChangingWorld(), new PolicyCompiler()];
        let kernel = EMPTY_TABLE;
        for (const event of events) {
          world.play(event, compiler);
          const wanted = compilePolicyTable(world, world);
          assertEquals(renderPolicyTable(compiler.table), renderPolicyTable(wanted));
          // Not after each: what came and went in between must leave no trace.
          if (takes.next().value === 0) continue;
          const changes = compiler.takeChanges();
          if (changes !== undefined) kernel = applyChanges(kernel, changes);
          assertEquals(kernel, wanted);
          assertEquals(compiler.takeChanges(), undefined);
        }
      },
    ),
    { numRuns: 300 },
  );
});

const LINK = "flock00000001";
const TEAM_A = { namespaceSelector: { matchLabels: { team: "a" } }, podSelector: { matchLabels: { app: "web" } } };
const { policies, pods, targets, namespaces } = worldOf({
  policies: { p: { podSelector: { matchLabels: { app: "db" } }, ingress: [{ from: [TEAM_A] }] } },
  namespaces: { far: { team: "a" }, other: { team: "b" } },
  pods: {
    db: { labels: { app: "db" }, ips: ["192.0.2.1"], link: LINK },
    web: { namespace: "far", labels: { app: "web" }, ips: ["192.0.2.7"] },
  },
});

/** The world above, in which `far/web` may reach `default/db`. */
function started(): PolicyCompiler {
  const compiler = new PolicyCompiler();
  for (const [key, policy] of policies) compiler.setPolicy(key, policy);
  for (const [name, labels] of namespaces) compiler.setNamespace(name, labels);
  for (const [key, pod] of pods) compiler.setPod(key, pod);
  for (const [link, target] of targets) compiler.setTarget(link, target);
  compiler.takeChanges();
  return compiler;
}

const web = (change: Partial<PolicyPod> = {}): PolicyPod => {
  const pod = pods.get("far/web");
  assert(pod !== undefined);
  return { ...pod, ...change };
};

/** What the change does to sets: `+192.0.2.7 -192.0.2.8`; what else changes, by name. */
function show(changes: PolicyChanges | undefined): string {
  const sets = [...changes?.sets.values() ?? []].flatMap(({ added, removed }) => [
    ...removed.map((element) => `-${element}`),
    ...added.map((element) => `+${element}`),
  ]);
  const chains = [...changes?.chains.keys() ?? []].map(() => "chain");
  return [...sets, ...chains, ...changes?.pods.keys() ?? []].join(" ");
}

Deno.test("PolicyCompiler opens a pod again when the last policy that selects it is deleted, and leaves nothing (NP-37)", () => {
  const compiler = started();
  compiler.setPolicy("default/p", undefined);
  assertEquals(show(compiler.takeChanges()), `chain ${LINK}`);
  assertEquals(compiler.table, EMPTY_TABLE);
});

Deno.test("PolicyCompiler follows the labels of a namespace, and a namespace that is deleted and made anew (NP-38, NP-40)", () => {
  const compiler = started();
  const told = (labels: Record<string, string> | undefined): string => {
    compiler.setNamespace("far", labels && new Map(Object.entries(labels)));
    return show(compiler.takeChanges());
  };
  assertEquals(told({ team: "b" }), "-192.0.2.7");
  assertEquals(told({ team: "a", more: "x" }), "+192.0.2.7");
  assertEquals(told(undefined), "-192.0.2.7");
  assertEquals(told({}), "");
  assertEquals(told({ team: "a" }), "+192.0.2.7");
});

Deno.test("PolicyCompiler follows the labels of a peer and of a pod of this node (NP-39)", () => {
  const compiler = started();
  compiler.setPod("far/web", web({ labels: new Map([["app", "api"]]) }));
  assertEquals(show(compiler.takeChanges()), "-192.0.2.7");
  compiler.setPod("far/web", web());
  assertEquals(show(compiler.takeChanges()), "+192.0.2.7");
  const target = targets.get(LINK);
  assert(target !== undefined);
  compiler.setTarget(LINK, { ...target, labels: new Map([["app", "web"]]) });
  assertEquals([show(compiler.takeChanges()), compiler.table.pods.size], [`chain ${LINK}`, 0]);
  compiler.setTarget(LINK, target);
  assertEquals(compiler.takeChanges()?.pods.get(LINK)?.after, {
    chains: { ingress: [chainName("default/p", "ingress")] },
    logDrops: false,
  });
});

Deno.test("PolicyCompiler keeps an address that another pod has by now, whichever of the two it is told of first (NP-42, T-REL-18)", () => {
  const compiler = started();
  compiler.setPod("far/next", web());
  assertEquals(show(compiler.takeChanges()), "");
  compiler.setPod("far/web", undefined);
  assertEquals(show(compiler.takeChanges()), "");
  compiler.setPod("far/next", undefined);
  assertEquals(show(compiler.takeChanges()), "-192.0.2.7");
});

Deno.test("PolicyCompiler takes a changed address out and the new one in with one change (NP-44)", () => {
  const compiler = started();
  compiler.setPod("far/web", web({ addresses: ["192.0.2.8"] }));
  assertEquals(show(compiler.takeChanges()), "-192.0.2.7 +192.0.2.8");
});

Deno.test("PolicyCompiler says nothing of what changes nothing", () => {
  const compiler = started();
  compiler.setPod("far/web", web());
  compiler.setPod("other/web", web({ namespace: "other", addresses: ["192.0.2.9"] }));
  for (const [key, policy] of policies) compiler.setPolicy(key, { ...policy });
  for (const [link, target] of targets) compiler.setTarget(link, { ...target });
  compiler.setNamespace("far", new Map([["team", "a"]]));
  compiler.setQuarantine(new Set(["default/nobody"]));
  assertEquals(compiler.takeChanges(), undefined);
});

Deno.test("PolicyCompiler empties the chains of a policy in quarantine, and fills them when it is let go (NP-61)", () => {
  const compiler = started();
  const name = chainName("default/p", "ingress");
  compiler.setQuarantine(new Set(["default/p"]));
  assertEquals([compiler.table.chains.get(name)?.rules, compiler.table.sets.size, compiler.table.pods.size], [
    [],
    0,
    1,
  ]);
  compiler.setQuarantine(new Set());
  assertEquals(show(compiler.takeChanges()), "");
});

Deno.test("PolicyCompiler knows what people call chains and sets", () => {
  const compiler = started();
  compiler.setPod("far/web", web({ addresses: ["192.0.2.8"] }));
  const changes = compiler.takeChanges();
  assert(changes !== undefined);
  assertEquals([...changes.sets.keys()].map((name) => compiler.describe(name)), [
    "IPv4 addresses of pods with app in (web) of namespaces with team in (a)",
  ]);
  assertEquals(compiler.describe(chainName("default/p", "ingress")), "ingress of NetworkPolicy default/p");
  assertEquals(compiler.describe("peers4_0"), undefined);
  const [set = ""] = changes.sets.keys();
  assertEquals(
    explainNames(`set ${set} is missing`, (name) => compiler.describe(name)),
    [
      `set ${set} is missing`,
      "(IPv4 addresses of pods with app in (web) of namespaces with team in (a))",
    ].join(" "),
  );
  for (const text of ["table is gone", `set ${"0".repeat(24)} is not ours`]) {
    assertEquals(explainNames(text, (name) => compiler.describe(name)), text);
  }
});

Deno.test("PolicyCompiler names everything anew only when a chain comes, goes or changes", () => {
  const compiler = started();
  const { names } = compiler;
  compiler.setPod("far/web", undefined);
  assert(compiler.names === names);
  const [policy] = policies.values();
  for (const each of [undefined, policy]) {
    compiler.setPolicy("default/p", each);
    assertEquals(compiler.names.policies, each === undefined ? [] : ["default/p"]);
    assertEquals(compiler.names.sets.size, each === undefined ? 0 : names.sets.size);
  }
});

Deno.test("PolicyCompiler knows whether a pod will be isolated before it has a link", () => {
  const compiler = started();
  const target = { namespace: "default", labels: new Map([["app", "db"]]), ports: [], logDrops: false };
  const { labels: _, ...unknown } = target;
  const asked = [target, { ...target, labels: new Map() }, unknown, { ...target, namespace: "far" }];
  assertEquals(asked.map((each) => compiler.isolates(each)), [true, false, true, false]);
});

Deno.test("PolicyCompiler reads a policy that changes as the change that it is", () => {
  const compiler = started();
  const policy: NetworkPolicy | undefined = policies.get("default/p");
  assert(policy !== undefined);
  compiler.setPolicy("default/p", { ...policy, rules: { egress: [{}], ingress: policy.rules.ingress ?? [] } });
  const changes = compiler.takeChanges();
  assertEquals(show(changes), `chain ${LINK}`);
  assertEquals([...changes?.chains.values() ?? []], [{ after: { direction: "egress", rules: [{}] } }]);
});

Deno.test("PolicyCompiler of 10 000 pods and 1000 policies changes with a pod or a policy what they concern, and nothing else (NP-59)", () => {
  const compiler = new PolicyCompiler();
  const pod = (index: number, group = index % 1000): PolicyPod => ({
    ...{ namespace: `team-${index % 7}`, labels: new Map([["group", `${group}`]]), ports: [] },
    addresses: [`10.0.${index >> 8}.${index & 255}`],
  });
  const policy = (index: number): NetworkPolicy => ({
    ...{ namespace: "default", name: `p${index}` },
    podSelector: [{ key: "local", operator: "In", values: [`${index % 100}`] }],
    rules: {
      ingress: [{
        peers: [
          { kind: "pods", namespaces: [], pods: [{ key: "group", operator: "In", values: [`${index}`] }] },
          { kind: "pods", namespaces: [], pods: [] },
        ],
      }],
    },
  });
  for (let index = 0; index < 10_000; index++) compiler.setPod(`p${index}`, pod(index));
  for (let index = 0; index < 1000; index++) compiler.setPolicy(`default/p${index}`, policy(index));
  for (let index = 0; index < 100; index++) {
    const labels = new Map([["local", `${index}`]]);
    const link = `flock${index.toString(16).padStart(8, "0")}`;
    compiler.setTarget(link, { namespace: "default", labels, ports: [], logDrops: false });
  }
  const sizes = Map.groupBy(compiler.table.sets.values(), ({ elements }) => elements.size);
  assertEquals(Array.from(sizes, ([size, sets]) => [size, sets.length]).sort(), [[0, 1001], [10, 1000], [10_000, 1]]);
  assertEquals([compiler.table.chains.size, compiler.table.pods.size], [1000, 100]);
  compiler.takeChanges();
  compiler.setPod("p7", pod(7, 8));
  assertEquals(show(compiler.takeChanges()), "-10.0.0.7 +10.0.0.7");
  compiler.setPolicy("default/p9", undefined);
  const changes = compiler.takeChanges();
  assertEquals([changes?.sets.size, changes?.chains.size, [...changes?.pods.keys() ?? []]], [2, 1, ["flock00000009"]]);
});
