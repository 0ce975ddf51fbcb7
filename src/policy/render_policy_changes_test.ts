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
    const there = new Set(["ingress", "egress", "ingress_pods", "egress_pods"]);
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
        for (const [, target = ""] of command.matchAll(/(?:jump|goto|@)\s?(\w+)/g)) assert(there.has(target), command);
        if (verb === "delete" && kind !== "element") there.delete(thing);
      }
    }
  }));
});

Deno.test("renderPolicyChanges() adds one command for one element", () => {
  const compiler = new PolicyCompiler();
  const labels = new Map([["app", "web"]]);
  const pod = { namespace: "a", labels, addresses: ["192.0.2.1"], ports: [] };
  const selector = [{ key: "app", operator: "In", values: ["web"] }] as const;
  compiler.setPolicy("a/p", {
    ...{ namespace: "a", name: "p", podSelector: [] },
    rules: { ingress: [{ peers: [{ kind: "pods", pods: selector }] }] },
  });
  compiler.setTarget("flock00000001", { ...pod, logDrops: false });
  compiler.takeChanges();
  compiler.setPod("a/x", pod);
  const changes = compiler.takeChanges();
  const [set = ""] = [...changes?.sets.keys() ?? []];
  assertEquals(changes && renderPolicyChanges(changes), [[
    `add set inet flock-policy ${set} { type ipv4_addr; elements = { 192.0.2.1 }; }`,
  ]]);
});
