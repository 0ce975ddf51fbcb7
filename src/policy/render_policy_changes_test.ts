import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { PolicyCompiler } from "./policy_compiler.ts";
import { renderPolicyChanges } from "./render_policy_changes.ts";
import { ChangingWorld, policyEvents } from "./testdata/_policy_events.ts";

/**
 * What nft carries out without reading the elements of sets first, and the deletion of links from named ports, which
 * are few.
 */
const QUICK =
  /^(?:add (?:set|map|chain|counter) .*|flush chain \S+ \S+ \S+|delete (?:set|map|chain|counter) .*|delete element inet flock-policy ports_\S+ .*)$/;

Deno.test("renderPolicyChanges() uses no command for which nft reads elements of sets, deletes after it has decided what becomes of packets, and names nothing before it is made or after it is unmade", () => {
  fc.assert(fc.property(fc.array(policyEvents, { maxLength: 40, size: "max" }), (events) => {
    const [world, compiler] = [new ChangingWorld(), new PolicyCompiler()];
    const there = new Set(["ingress_pods", "egress_pods"]);
    // chain or map -> what it names
    const naming = new Map<string, string[]>();
    for (const event of events) {
      world.play(event, compiler);
      const changes = compiler.takeChanges();
      const steps = changes === undefined ? [] : renderPolicyChanges(changes);
      if (steps.length > 1) {
        assert(!steps[0]?.some((command) => command.startsWith("delete")), "packets wait for cleaning up");
      }
      for (const command of steps.flat()) {
        assert(QUICK.test(command), command);
        const [verb = "", kind = "", , , name = ""] = command.split(" ");
        // A chain and its counter have one name; both come and go together, the chain last and first.
        const thing = kind === "counter" ? `counter ${name}` : name;
        if (verb === "add") there.add(thing);
        else assert(there.has(thing), command);
        const targets = [...command.matchAll(/(?:jump|goto|@)\s?(\w+)/g)].map(([, target = ""]) => target);
        for (const target of targets) assert(there.has(target), command);
        if (verb === "add") naming.set(thing, [...naming.get(thing) ?? [], ...targets]);
        else if (kind !== "element") naming.delete(thing);
        if (verb !== "delete" || kind === "element") continue;
        there.delete(thing);
        for (const [chain, names] of naming) assert(!names.includes(thing), `${chain} still names it: ${command}`);
      }
    }
  }));
});

const WEB = { namespace: "a", labels: new Map([["app", "web"]]), ports: [] };

/** Pods `a/1` to `a/count`, 192.0.2.1 and so on, that as many policies let in to as many pods. */
function started({ count, policies = 1 }: { count: number; policies?: number }): PolicyCompiler {
  const compiler = new PolicyCompiler();
  const selector = [{ key: "app", operator: "In", values: ["web"] }] as const;
  for (let n = 0; n < policies; n++) {
    compiler.setPolicy(`a/p${n}`, {
      ...{ namespace: "a", name: `p${n}`, podSelector: [] },
      rules: { ingress: [{ peers: [{ kind: "pods", pods: selector }] }] },
    });
  }
  compiler.setTarget("flock00000001", { ...WEB, logDrops: false });
  for (let n = 1; n <= count; n++) tell(compiler, n);
  compiler.takeChanges();
  return compiler;
}

/** @returns the commands by which pod `a/n` comes, without the table's name and of which chain and set they are */
function tell(compiler: PolicyCompiler, n: number, { present = true } = {}): string[][] {
  compiler.setPod(`a/${n}`, present ? { ...WEB, addresses: [`192.0.2.${n}`] } : undefined);
  const changes = compiler.takeChanges();
  const steps = changes === undefined ? [] : renderPolicyChanges(changes);
  return steps.map((step) => step.map((each) => each.replaceAll(/inet flock-policy |_[0-9a-f]{24}/g, "")));
}

const set = (name: string, numbers: readonly number[]): string => {
  const elements = numbers.map((n) => `192.0.2.${n}`).join(", ");
  return `add set ${name} { type ipv4_addr; ${elements === "" ? "" : `elements = { ${elements} }; `}}`;
};

Deno.test("renderPolicyChanges() adds one command for one element of a set", () => {
  assertEquals(tell(started({ count: 5 }), 6), [[set("peers4", [6])]]);
});

Deno.test("renderPolicyChanges() writes few elements as rules, and makes a set of them when they become more", () => {
  const compiler = started({ count: 0 });
  assertEquals(tell(compiler, 1), [["flush chain in", "add chain in { ip saddr 192.0.2.1 accept; }"]]);
  for (const n of [2, 3]) tell(compiler, n);
  const four = [1, 2, 3, 4].map((n) => `ip saddr 192.0.2.${n} accept;`).join(" ");
  assertEquals(tell(compiler, 4), [["flush chain in", `add chain in { ${four} }`]]);
  assertEquals(tell(compiler, 5), [[
    set("peers4", [1, 2, 3, 4, 5]),
    set("peers4", []),
    "flush chain in",
    "add chain in { ip saddr @peers4 accept; }",
  ]]);
  assertEquals(tell(compiler, 5, { present: false }), [
    ["flush chain in", `add chain in { ${four} }`],
    ["delete set peers4"],
  ]);
});

Deno.test("renderPolicyChanges() has another set take the place of one that loses an element, until it is made anew", () => {
  assertEquals(tell(started({ count: 6 }), 6, { present: false }), [
    [set("peers4_next", [1, 2, 3, 4, 5]), "flush chain in", "add chain in { ip saddr @peers4_next accept; }"],
    [
      ...["flush chain in", "delete set peers4", set("peers4", [1, 2, 3, 4, 5])],
      ...["add chain in { ip saddr @peers4 accept; }", "delete set peers4_next"],
    ],
  ]);
});

Deno.test("renderPolicyChanges() changes no chain for an element of a set that many chains name, however small it is", () => {
  for (
    const [policies, removal] of [[9, "add set peers4_next"], [65, "delete element peers4 { 192.0.2.1 }"]] as const
  ) {
    const compiler = started({ count: 0, policies });
    assertEquals(tell(compiler, 1), [[set("peers4", [1])]]);
    const [first = []] = tell(compiler, 1, { present: false }).slice(policies > 64 ? -1 : 0);
    assert(first[0]?.startsWith(removal), first[0]);
  }
});
