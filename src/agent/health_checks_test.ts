import { assertEquals, assertStringIncludes } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { parseAddress } from "../ip/address.ts";
import { type HealthFacts, livenessChecks, readinessChecks, renderChecks } from "./health_checks.ts";

const LOOP = { name: "node", busyMs: 0, failing: false, passes: 3, failures: 0 };

function sessionsOf(...states: readonly string[]): HealthFacts["sessions"]["view"] {
  const peer = parseAddress("192.0.2.1");
  if (peer === undefined) throw new Error("no address");
  const sessions = states.map((state) => ({ peer, state, established: state === "Established" }));
  return { sessions, everEstablished: true, asked: true };
}

/** A node where all is well, save what a test says. */
function factsOf(more: Partial<HealthFacts> = {}): HealthFacts {
  return {
    loops: [LOOP],
    sessions: { view: sessionsOf("Established") },
    reconciler: { serving: { ready: true, why: "", peers: 1 }, view: undefined },
    policies: { inForce: true, failure: undefined },
    state: { lastFailure: undefined },
    watches: { open: [] },
    clock: new HandClock(),
    ...more,
  };
}

/** @returns `name problem` of each check that has one */
function problemsOf(facts: HealthFacts): string[] {
  return readinessChecks(facts).flatMap(({ name, problem }) => problem === undefined ? [] : [`${name} ${problem}`]);
}

Deno.test("livenessChecks() finds a wedged loop, an agent that does not answer itself and a silent BIRD, and no fault in the rest", () => {
  assertEquals(livenessChecks(factsOf()).filter(({ problem }) => problem !== undefined), []);
  const wedged = factsOf({ loops: [LOOP, { ...LOOP, name: "routes", busyMs: 121_000, failing: true }] });
  assertEquals(livenessChecks(wedged).map(({ problem }) => problem), [
    undefined,
    "one pass of routes for 121 s",
    undefined,
  ]);
  assertEquals(livenessChecks(factsOf(), "no answer")[0], { name: "calls", problem: "no answer" });
  const silent = factsOf({ sessions: { view: { sessions: undefined, everEstablished: true, asked: true } } });
  assertEquals(livenessChecks(silent)[2], { name: "bird", problem: "BIRD does not answer" });
});

Deno.test("readinessChecks() names what keeps the node from serving, each in its own line", () => {
  assertEquals(problemsOf(factsOf()), []);
  const serving = { ready: false, why: "no NodeConfig", peers: 0 };
  assertEquals(problemsOf(factsOf({ reconciler: { serving, view: undefined } })), ["nodeconfig no NodeConfig"]);
  assertEquals(problemsOf(factsOf({ sessions: { view: sessionsOf("Active", "Idle") } })), [
    "bgp none of 1 sessions is established: 192.0.2.1 Active, 192.0.2.1 Idle",
  ]);
  assertEquals(problemsOf(factsOf({ sessions: { view: sessionsOf("Active", "Established") } })), []);
  assertEquals(problemsOf(factsOf({ policies: { inForce: true, failure: "nft hangs" } })), ["policies nft hangs"]);
  assertEquals(problemsOf(factsOf({ policies: { inForce: false, failure: undefined } })).length, 1);
  assertEquals(problemsOf(factsOf({ state: { lastFailure: "no space" } })), ["state no space"]);
});

Deno.test("readinessChecks() takes an API server for away when a watch is interrupted and was not heard for 10 s", () => {
  const clock = { monotonic: () => 100_000 };
  const watch = (interruption: string | undefined, lastContact: number | undefined) =>
    factsOf({
      clock,
      watches: { open: [{ resource: "pods", scope: "node", watched: { synced: true, interruption, lastContact } }] },
    });
  const now = clock.monotonic();
  assertEquals(problemsOf(watch(undefined, now - 60_000)), []);
  assertEquals(problemsOf(watch("refused", now - 9_000)), []);
  assertEquals(problemsOf(watch("refused", now - 11_000)), ["api pods not heard for 11 s: refused"]);
  assertEquals(problemsOf(watch("refused", undefined)), ["api pods never heard: refused"]);
});

Deno.test("renderChecks() shows one line per check, on one line whatever the problem says, and counts none that is excluded", () => {
  const checks = [{ name: "a" }, { name: "b", problem: "x\n[+] c ok" }];
  assertEquals(renderChecks(checks, []), { status: 503, text: "[+] a ok\n[-] b failed: x [+] c ok\n" });
  const { status, text } = renderChecks(checks, ["b"]);
  assertEquals(status, 200);
  assertStringIncludes(text, "[-] b failed (excluded): ");
});
