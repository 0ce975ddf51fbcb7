import { assert, assertEquals } from "@std/assert";
import type { BirdOutcome } from "../bird/bird_driver.ts";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { Agent, type AgentParts } from "./agent.ts";
import { CONFIG, logger } from "./_agent_fixture.ts";
import type { DriftTick } from "./drift_watch.ts";
import type { SessionView } from "./session_monitor.ts";

/** Longest that a stop takes, in milliseconds. */
const STOP_MS = 5_000;
const AWAY: BirdOutcome = { applied: false, reason: "unreachable", message: "no answer" };

/** An agent of parts that do nothing, save what a test says; `done` names what happened, in order. */
function agentOf(more: (done: string[]) => Partial<AgentParts>): { agent: Agent; done: string[]; clock: HandClock } {
  const done: string[] = [];
  const note = (what: string) => (): Promise<void> => Promise.resolve(void done.push(what));
  const stopped = Promise.withResolvers<void>();
  const clock = new HandClock();
  const agent = new Agent({
    nodeName: "node-a",
    nodeConfigs: {
      synced: true,
      items: new Map(),
      lastContact: 0,
      onChange: () => () => {},
      stop: () => {},
    },
    pods: { onChange: () => () => {} },
    claims: { pass: note("claims") },
    policies: {
      inForce: true,
      problems: [],
      failure: undefined,
      onChange: () => {},
      settle: note("policies"),
      doubt: () => {},
    },
    policyNames: { keep: note("policy names") },
    kube: { stop: () => void done.push("kube stopped") },
    ledger: { flush: note("flush"), all: () => [], pools: () => [] },
    reconciler: reconcilerOf(note("pass")),
    sessions: {
      view: { asked: true, sessions: undefined, everEstablished: false },
      read: () => Promise.resolve(false),
    },
    tombstones: { catchUp: note("catch up") },
    collector: { sweep: note("sweep") },
    reporter: { reportNodeConfig: note("status"), reportNode: note("condition") },
    outage: { look: () => {} },
    repairNews: { look: () => {} },
    setLogLevel: () => {},
    server: { serve: () => stopped.promise, stop: () => Promise.resolve(stopped.resolve()) },
    clock,
    logger,
    placeConflist: note("conflist"),
    placePages: note("pages"),
    announced: () => {},
    watchDrift: () => Promise.resolve(),
    close: note("closed"),
    ...more(done),
  });
  return { agent, done, clock };
}

function reconcilerOf(pass: () => Promise<void>, bird: BirdOutcome = { applied: true }): AgentParts["reconciler"] {
  const verdict = { reason: "Accepted", message: "in force" } as const;
  const resolution = { inForce: CONFIG, verdict, warnings: [] };
  const view = { resolution, advertised: [], anycast: [], bird };
  const reading = { name: "node-a", uid: "u1", generation: 1, outcome: CONFIG, advertised: [] };
  return {
    ready: true,
    config: CONFIG,
    judged: { reading, resolution },
    view,
    announce: pass,
    pass,
    repairLinks: pass,
    repairGuard: pass,
    repairRoutes: pass,
  };
}

/** Runs it for so many milliseconds, and stops it. */
async function runFor({ agent, clock }: { agent: Agent; clock: HandClock }, ms: number): Promise<void> {
  const stop = new AbortController();
  const ran = agent.run(stop.signal);
  await clock.pass(ms);
  stop.abort();
  await clock.pass(STOP_MS);
  await ran;
}

Deno.test("a failed pass keeps neither conflist nor status nor the Node's condition from being written", async () => {
  const run = agentOf(() => ({ reconciler: reconcilerOf(() => Promise.reject(new Error("no ip"))) }));
  await runFor(run, 10);
  for (const what of ["conflist", "status", "condition"]) assert(run.done.includes(what), what);
});

Deno.test("a conflist that cannot be written keeps nothing else from being done", async () => {
  const run = agentOf(() => ({ placeConflist: () => Promise.reject(new Error("read-only")) }));
  await runFor(run, 10);
  for (const what of ["status", "condition"]) assert(run.done.includes(what), what);
});

Deno.test("a stop ends in time though a request and a driver never do, and API requests end before the loops", async () => {
  const never = (): Promise<void> => new Promise(() => {});
  const run = agentOf((done) => ({
    server: { serve: never, stop: never },
    close: () => {
      done.push("closing");
      return Promise.reject(new Error("gone"));
    },
  }));
  await runFor(run, 10);
  assertEquals(run.done.slice(-2), ["kube stopped", "closing"]);
});

Deno.test("the collector sweeps though the state cannot be written", async () => {
  const run = agentOf(() => ({
    ledger: { flush: () => Promise.reject(new Error("No space left")), all: () => [], pools: () => [] },
  }));
  await runFor(run, 12_000);
  assert(run.done.includes("sweep"));
});

Deno.test("no pass runs for a BIRD that is away, and one does when it answers again", async () => {
  let view: SessionView = { asked: true, sessions: undefined, everEstablished: false };
  const sessions = {
    get view(): SessionView {
      return view;
    },
    read: (): Promise<boolean> => Promise.resolve(false),
  };
  const { agent, done, clock } = agentOf((done) => ({
    sessions,
    reconciler: {
      ...reconcilerOf(() => Promise.resolve(void done.push("pass")), AWAY),
      announce: () => Promise.resolve(), // has a tick of its own, and changes nothing
    },
  }));
  const passes = (): number => done.filter((what) => what === "pass").length;
  const stop = new AbortController();
  const ran = agent.run(stop.signal);
  await clock.pass(3_000);
  assertEquals(passes(), 1);
  view = { asked: true, sessions: [], everEstablished: false };
  await clock.pass(2_000);
  assertEquals(passes(), 2);
  stop.abort();
  await clock.pass(STOP_MS);
  await ran;
});

Deno.test("the agent looks at what was told to have changed, at no more, and again after a look that failed", async () => {
  const looks: string[] = [];
  let failures = 1;
  const look = (what: string) => (): Promise<void> => {
    looks.push(what);
    return what === "links" && failures-- > 0 ? Promise.reject(new Error("no ip")) : Promise.resolve();
  };
  let ring: (tick: DriftTick) => void = () => {};
  const { agent, clock } = agentOf(() => ({
    reconciler: {
      ...reconcilerOf(look("")),
      pass: ({ full }) => look(full ? "everything" : "node")(),
      ...{ announce: look("routes"), repairLinks: look("links"), repairGuard: look("guard") },
      repairRoutes: look("anycast"),
    },
    watchDrift: (listener) => Promise.resolve(void (ring = listener.ring)),
  }));
  const stop = new AbortController();
  const ran = agent.run(stop.signal);
  const after = async (ticks: readonly DriftTick[]): Promise<string[]> => {
    ticks.forEach(ring);
    await clock.pass(1);
    return looks.splice(0);
  };
  assertEquals(await after([]), ["node"]);
  assertEquals(await after(["guard"]), ["guard"]);
  assertEquals(await after(["links"]), ["links", "routes"]); // these go over those
  await clock.pass(2_000);
  assertEquals(await after([]), ["routes", "links", "routes"]); // the first by the tick
  assertEquals(await after(["settings", "guard"]), ["node", "guard", "links", "routes"]);
  assertEquals(await after(["network"]), ["node"]);
  assertEquals(await after(["anycast"]), ["anycast"]);
  assertEquals(await after(["drift", "links", "guard"]), ["everything"]);
  stop.abort();
  await clock.pass(STOP_MS);
  await ran;
});

Deno.test("links that cannot be mended keep no guard from being looked at, nor make it be looked at again", async () => {
  const looks: string[] = [];
  const look = (what: string) => (): Promise<void> => Promise.resolve(void looks.push(what));
  const fail = (what: string) => (): Promise<void> => look(what)().then(() => Promise.reject(new Error("no ip")));
  const run = agentOf(() => ({
    reconciler: {
      ...reconcilerOf(fail("node")),
      ...{ repairLinks: fail("links"), repairGuard: look("guard"), announce: () => Promise.resolve() },
    },
    watchDrift: (listener) => {
      listener.ring("settings");
      listener.ring("guard");
      return Promise.resolve();
    },
  }));
  await runFor(run, 7_000);
  assertEquals(looks, ["node", "guard", "links", "node", "links", "node", "links"]);
});

Deno.test("what failed is tried again by the loop alone, or when it is asked for, and by no other tick", async () => {
  const looks: string[] = [];
  const look = (what: string) => (): Promise<void> => Promise.resolve(void looks.push(what));
  let ring: (tick: DriftTick) => void = () => {};
  const { agent, clock } = agentOf(() => ({
    reconciler: {
      ...reconcilerOf(look("node")),
      announce: () => Promise.resolve(),
      repairGuard: look("guard"),
      repairLinks: () => look("links")().then(() => Promise.reject(new Error("no ip"))),
    },
    watchDrift: (listener) => Promise.resolve(void (ring = listener.ring)),
  }));
  const stop = new AbortController();
  const ran = agent.run(stop.signal);
  ring("links");
  await clock.pass(1_000);
  assertEquals(looks.splice(0), ["node", "links"]);
  ring("guard");
  await clock.pass(500);
  assertEquals(looks.splice(0), ["guard"]);
  ring("links");
  await clock.pass(200);
  assertEquals(looks.splice(0), ["links"]);
  await clock.pass(400);
  assertEquals(looks.splice(0), ["links"]);
  stop.abort();
  await clock.pass(STOP_MS);
  await ran;
});

Deno.test("others' changes are looked at where they were: in the policies' table, in all, or not there", async () => {
  const looks: unknown[] = [];
  let ring: ((tick: DriftTick) => Promise<void>) | undefined;
  const run = agentOf((done) => ({
    policies: {
      ...{ inForce: true, problems: [], failure: undefined, onChange: () => {} },
      settle: () => Promise.resolve(void done.push("policies")),
      doubt: (options) => void looks.push(options.touched),
    },
    watchDrift: (listener) => {
      ring = listener.ring;
      return Promise.resolve();
    },
  }));
  const stop = new AbortController();
  const ran = run.agent.run(stop.signal);
  await run.clock.pass(10);
  run.done.length = 0;
  await ring?.("policies");
  assertEquals([looks, run.done.includes("pass")], [[true], false]);
  await ring?.("guard");
  assertEquals([looks, run.done.includes("pass")], [[true], true]);
  for (const tick of ["drift", "policies?"] as const) await ring?.(tick);
  assertEquals(looks, [true, false, false]);
  stop.abort();
  await run.clock.pass(STOP_MS);
  await ran;
});

Deno.test("a policy that fails closed shows in the status within a second", async () => {
  let problems: AgentParts["policies"]["problems"] = [];
  let bell = (): void => {};
  const told: unknown[] = [];
  const run = agentOf(() => ({
    policies: {
      ...{ inForce: true, failure: undefined, doubt: () => {}, settle: () => Promise.resolve() },
      get problems() {
        return problems;
      },
      onChange: (ring) => (bell = ring),
    },
    reporter: {
      reportNode: () => Promise.resolve(),
      reportNodeConfig: (...[, { policies }]) => Promise.resolve(void told.push(policies.problems.length)),
    },
  }));
  const stop = new AbortController();
  const ran = run.agent.run(stop.signal);
  await run.clock.pass(1_500);
  told.length = 0;
  problems = [{ policy: { namespace: "ns", name: "bad" }, reason: "PolicyInvalid", state: "no" }];
  bell();
  await run.clock.pass(1_000);
  assertEquals(told.at(-1), 1);
  stop.abort();
  await run.clock.pass(STOP_MS);
  await ran;
});

Deno.test("a NodeConfig that is deleted, or comes back, is told of on the Node at once", async () => {
  let judged: AgentParts["reconciler"]["judged"];
  const told: (string | undefined)[] = [];
  const reconciler = reconcilerOf(() => Promise.resolve());
  const run = agentOf(() => ({
    reconciler: {
      ...reconciler,
      get judged() {
        return judged;
      },
    },
    reporter: {
      reportNode: (verdict) => Promise.resolve(void told.push(verdict?.reason)),
      reportNodeConfig: () => Promise.resolve(),
    },
  }));
  const stop = new AbortController();
  const ran = run.agent.run(stop.signal);
  const see = async (reason: "Accepted" | "Deleted"): Promise<void> => {
    const resolution = { inForce: CONFIG, verdict: { reason, message: "" }, warnings: [] };
    judged = { reading: undefined, resolution };
    run.agent.drifted();
    await run.clock.pass(100);
  };
  await see("Accepted");
  told.length = 0;
  for (const reason of ["Deleted", "Deleted", "Accepted"] as const) await see(reason);
  assertEquals(told, ["Deleted", "Accepted"]);
  stop.abort();
  await run.clock.pass(STOP_MS);
  await ran;
});
