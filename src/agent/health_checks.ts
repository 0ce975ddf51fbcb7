import type { Clock } from "../clock/clock.ts";
import type { Page } from "../http/page_server.ts";
import type { LoopState } from "./reconcile_loop.ts";
import type { NodeReconciler } from "./node_reconciler.ts";
import type { PolicyReconciler } from "./policy_reconciler.ts";
import type { SessionMonitor } from "./session_monitor.ts";
import type { StateMeter } from "./state_meter.ts";
import type { WatchBook } from "./watch_book.ts";

/** A pass that has been under way for so long will not end by itself, in milliseconds: whatever it waits for has its own time-out. */
const WEDGED_MS = 120_000;
/** An API server that was not heard for so long is away, not only restarted, in milliseconds. */
const AWAY_MS = 10_000;

/** One thing that was looked at; `problem` is absent when all is well. */
export interface Check {
  readonly name: string;
  readonly problem?: string | undefined;
}

/** What is looked at. */
export interface HealthFacts {
  readonly loops: readonly LoopState[];
  readonly sessions: Pick<SessionMonitor, "view">;
  readonly reconciler: Pick<NodeReconciler, "serving" | "view">;
  readonly policies: Pick<PolicyReconciler, "inForce" | "failure">;
  readonly state: Pick<StateMeter, "lastFailure">;
  readonly watches: Pick<WatchBook, "open">;
  readonly clock: Pick<Clock, "monotonic">;
}

/**
 * Whether a restart may help. The API server has no part in it.
 *
 * @param call why the agent does not answer on its own socket; undefined: it does
 */
export function livenessChecks({ loops, sessions }: Pick<HealthFacts, "loops" | "sessions">, call?: string): Check[] {
  const wedged = loops.filter(({ busyMs }) => busyMs > WEDGED_MS);
  const stuck = wedged.map(({ name, busyMs }) => `one pass of ${name} for ${Math.round(busyMs / 1000)} s`).join(", ");
  const { asked, sessions: answered } = sessions.view;
  return [
    { name: "calls", problem: call },
    { name: "loops", problem: stuck === "" ? undefined : stuck },
    { name: "bird", problem: asked && answered === undefined ? "BIRD does not answer" : undefined },
  ];
}

/** Whether the node serves pods, and routers know it. */
export function readinessChecks(facts: HealthFacts): Check[] {
  const { reconciler, policies, state } = facts;
  const { ready, why } = reconciler.serving;
  const bird = reconciler.view?.bird;
  const unheard = policies.inForce ? undefined : "not all have been heard and written yet";
  return [
    { name: "nodeconfig", problem: ready ? undefined : why },
    { name: "bgp", problem: bgpProblem(facts) },
    { name: "bird-configuration", problem: bird?.applied === false ? `${bird.reason}: ${bird.message}` : undefined },
    { name: "policies", problem: policies.failure ?? unheard },
    { name: "state", problem: state.lastFailure },
    { name: "api", problem: apiProblem(facts) },
  ];
}

/** @returns one line for each check, and 503 if one has a problem. @param excluded names of checks that do not count */
export function renderChecks(checks: readonly Check[], excluded: readonly string[]): Page {
  const counted = checks.filter(({ name }) => !excluded.includes(name));
  const lines = checks.map(({ name, problem }) => {
    const left = excluded.includes(name) ? " (excluded)" : "";
    return problem === undefined ? `[+] ${name} ok${left}` : `[-] ${name} failed${left}: ${oneLine(problem)}`;
  });
  const isWell = counted.every(({ problem }) => problem === undefined);
  return { status: isWell ? 200 : 503, text: `${lines.join("\n")}\n` };
}

function bgpProblem({ reconciler, sessions: { view: { sessions } } }: HealthFacts): string | undefined {
  const { peers } = reconciler.serving;
  if (peers === 0 || sessions?.some(({ established }) => established)) return undefined;
  if (sessions === undefined) return "BIRD does not answer";
  const states = sessions.map(({ peer, state, lastError }) =>
    `${peer.text} ${state}${lastError ? ` (${lastError})` : ""}`
  );
  return `none of ${peers} sessions is established: ${states.join(", ")}`;
}

function apiProblem({ watches, clock }: HealthFacts): string | undefined {
  const problems = watches.open.flatMap(({ resource, watched: { interruption, lastContact } }) => {
    const silentMs = clock.monotonic() - (lastContact ?? -Infinity);
    if (interruption === undefined || silentMs < AWAY_MS) return [];
    const since = lastContact === undefined ? "never heard" : `not heard for ${Math.round(silentMs / 1000)} s`;
    return [`${resource} ${since}: ${interruption}`];
  });
  return problems.length === 0 ? undefined : problems.join("; ");
}

function oneLine(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, " ");
}
