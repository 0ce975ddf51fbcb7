import { assertEquals } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { createLogger } from "../log/logger.ts";
import { chainName } from "../policy/names.ts";
import { parsePolicyNames, type PolicyNames, renderPolicyNames } from "../policy/policy_names.ts";
import { allowing, openPolicyFixture, policyOf, requestOf } from "./_policy_fixture.ts";
import { PolicyNameKeeper } from "./policy_name_keeper.ts";
import { openPolicyNameMemory } from "./policy_name_memory.ts";

const NONE: PolicyNames = { policies: [], sets: new Map() };

function openKeeper(): {
  keeper: PolicyNameKeeper;
  policies: { names: PolicyNames; inForce: boolean };
  saved: unknown[];
  clock: HandClock;
} {
  const [policies, saved, clock] = [{ names: NONE, inForce: true }, [] as unknown[], new HandClock()];
  const save = (names: PolicyNames): Promise<void> => Promise.resolve(void saved.push(renderPolicyNames(names)));
  return { keeper: new PolicyNameKeeper({ policies, memory: { save }, clock }), policies, saved, clock };
}

Deno.test("PolicyNameKeeper writes what is new, once, and nothing before the kernel has it", async () => {
  const { keeper, policies, saved, clock } = openKeeper();
  await keeper.keep();
  policies.names = { policies: ["ns/a"], sets: new Map([["peers4_x", "pods"]]) };
  policies.inForce = false;
  await keeper.keep();
  assertEquals(saved, []);
  policies.inForce = true;
  const kept = keeper.keep();
  await clock.pass(1_000);
  await kept;
  await keeper.keep();
  assertEquals(saved, [{ policies: ["ns/a"], sets: { peers4_x: "pods" } }]);
});

Deno.test("a reconciler names the policies that its pods ask and the sets of their rules, and no others", async () => {
  const from = [{ podSelector: { matchLabels: { app: "x" } } }];
  const peered = policyOf("peered", { podSelector: {}, ingress: [{ from }] });
  const elsewhere = policyOf("elsewhere", { podSelector: { matchLabels: { app: "none" } } });
  await using fixture = await openPolicyFixture(allowing(80), peered, elsewhere);
  assertEquals(fixture.policies.names, NONE);
  await fixture.service.handle(requestOf(fixture, "ADD"));
  const { policies, sets } = fixture.policies.names;
  assertEquals(policies, ["ns/allow-80", "ns/peered"]);
  assertEquals(policies.map((key) => fixture.policies.table.chains.has(chainName(key, "ingress"))), [true, true]);
  assertEquals([...sets.values()].sort(), [
    "IPv4 addresses of pods with app in (x) of namespace ns",
    "IPv6 addresses of pods with app in (x) of namespace ns",
  ]);
});

Deno.test("what openPolicyNameMemory() saves is what inspect reads; anything else is refused", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const lines: string[] = [];
    const logger = createLogger((line) => void lines.push(line), { level: "info", now: () => 0 });
    const path = `${directory}/policy_names.json`;
    const names: PolicyNames = { policies: ["ns/a"], sets: new Map([["peers4_x", "pods"]]) };
    const memory = openPolicyNameMemory({ path, logger });
    await memory.save(names);
    assertEquals(parsePolicyNames(JSON.parse(await Deno.readTextFile(path))), names);
    await Deno.writeTextFile(path, '{"policies":[7]}');
    assertEquals(memory.load(), undefined);
    assertEquals(lines.length, 1);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
