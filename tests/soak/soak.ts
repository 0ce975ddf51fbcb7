/**
 * `deno task soak --minutes N [--seed S] [--file PATH]`: pods come and go by containerd while agent, BIRD, containerd, API server, disk and
 * router fail, and after each round everything is compared with everything. A verdict in one line and a file with every
 * discrepancy; exit code 1 when there was one.
 */
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { createLab, type Lab } from "../lab/lab.ts";
import { onInterrupt } from "../lab/on_interrupt.ts";
import { ensurePackages, LAB_PACKAGES } from "../lab/packages.ts";
import { Checker } from "./checker.ts";
import { Cluster } from "./cluster.ts";
import { disturbsRoutes, inflict, isKill } from "./faults.ts";
import { LongFaults } from "./long_faults.ts";
import { type Circumstances, FAULTS, Planner, type Round } from "./plan.ts";
import { Report } from "./report.ts";
import { parseSoakArgs, type SoakArgs, USAGE } from "./soak_args.ts";

const DIST = new URL("../../dist", import.meta.url).pathname;
/** When in a round the steady pods are pinged, in milliseconds. */
const MIDDLE_MS = 3_000;

/** Faults last for seconds, and kubelets are awaited by the check. */
const ROUND_ENDS_MS = 180_000;

type Say = (line: string) => void;

async function main(args: readonly string[]): Promise<number> {
  const say: Say = (line) => void Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  const parsed = parseSoakArgs(args, {
    seed: crypto.getRandomValues(new Uint32Array(1))[0] ?? 1,
    file: `${DIST}/soak.json`,
  });
  if (parsed === undefined) {
    say(USAGE);
    return 2;
  }
  await ensurePackages(LAB_PACKAGES, { runner: createSystemRunner(), progress: say });
  const lab = await createLab();
  const interrupted = onInterrupt(() => lab[Symbol.asyncDispose]());
  try {
    return await soak(lab, { ...parsed, say });
  } finally {
    interrupted[Symbol.dispose]();
    await lab[Symbol.asyncDispose]();
  }
}

/** @returns the exit code */
export async function soak(lab: Lab, { say, ...args }: SoakArgs & { readonly say: Say }): Promise<number> {
  const report = new Report(args);
  say(`soak: ${args.minutes} min, seed ${args.seed}, ${lab.api.kind} API server, discrepancies in ${args.file}`);
  const cluster = await Cluster.start(lab, report);
  const checker = new Checker(cluster, report);
  try {
    await runRounds({ cluster, checker, report, say }, args);
    report.context = "the end";
    await cluster.drain();
    await payDebts({ cluster, checker });
  } finally {
    for (const { kubelet } of cluster.members) kubelet.giveUp();
    const collected = cluster.members.map(({ book }) => book.debts.size);
    report.note("figures", { ...checker.figures, leftToGarbageCollection: collected });
    say(report.end());
  }
  return report.clean ? 0 : 1;
}

interface Parts {
  readonly cluster: Cluster;
  readonly checker: Checker;
  readonly report: Report;
  readonly say: Say;
}

/** The first check is before any fault. The last round is after the last long fault, whatever that costs. */
async function runRounds(parts: Parts, { minutes, seed }: SoakArgs): Promise<void> {
  const { cluster, checker, report, say } = parts;
  const planner = new Planner(seed);
  const long = new LongFaults(cluster, report, minutes);
  const start = performance.now();
  const elapsed = (): number => performance.now() - start;
  await checker.check({ apiAway: false, away: new Set(), struck: new Set() });
  let struckBefore: readonly number[] = [];
  while (elapsed() < minutes * 60_000 || !long.over) {
    const circumstances = await long.turn(elapsed());
    const round = planner.next(circumstances);
    report.context = { ...round, lasting: long.lasting };
    await bounded(runRound({ ...round, ...circumstances }, parts), report);
    const struck = struckIn(round);
    const found = await checker.check({ ...circumstances, struck: new Set([...struckBefore, ...struck]) })
      .catch((error) =>
        report.add({ where: "soak", what: [`a check failed: ${error}`], evidence: String(error.stack) })
      );
    struckBefore = struck;
    say(describe(round, { elapsedMs: elapsed(), cluster, found, lasting: long.lasting }));
  }
}

/** A round that fails, or does not end, is a discrepancy, and the next one comes all the same. */
async function bounded(round: Promise<void>, report: Report): Promise<void> {
  const complain = (what: string): void =>
    void report.add({ where: "soak", what: [what], evidence: "the round itself" });
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => late.resolve(complain(`a round has not ended after ${ROUND_ENDS_MS} ms`)),
    ROUND_ENDS_MS,
  );
  const ended = round.catch((error: unknown) => complain(`a round failed: ${error}`));
  await Promise.race([ended, late.promise]);
  clearTimeout(timer);
}

/** All of a round at once; a fault's end belongs to it. */
async function runRound(
  { faults, churn, apiAway, away }: Round & Circumstances,
  { cluster, checker, report }: Parts,
): Promise<void> {
  const at = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  if (!apiAway) await cluster.removeStopped(away);
  await Promise.all([
    ...faults.map(async (fault) => {
      await at(fault.atMs);
      report.counts.faults++;
      if (isKill(fault)) report.counts.kills++;
      await inflict(cluster, fault);
    }),
    ...churn.map(async (event) => {
      await at(event.atMs);
      await cluster.churn(event);
    }),
    at(MIDDLE_MS).then(() => faults.some(disturbsRoutes) ? 0 : checker.checkSteady()),
  ]);
}

/** @returns the nodes on which an attempt may have failed with nobody to clean up */
function struckIn({ faults }: Round): readonly number[] {
  const targets = ["agent", "plugin", "containerd", "disk"];
  return faults.filter(({ kind }) => targets.includes(FAULTS[kind].target)).map(({ node }) => node);
}

/** Checks until garbage collection owes nothing: what is overdue is a discrepancy of that check. */
async function payDebts({ cluster, checker }: Pick<Parts, "cluster" | "checker">): Promise<void> {
  const everywhere = new Set(cluster.members.map(({ index }) => index));
  for (;;) {
    await checker.check({ apiAway: false, away: new Set(), struck: everywhere });
    if (!await checker.somethingIsOwed()) return;
    await new Promise((resolve) => setTimeout(resolve, 5_000));
  }
}

function describe(
  { number, faults, churn }: Round,
  { elapsedMs, cluster, found, lasting }: {
    elapsedMs: number;
    cluster: Cluster;
    found: number;
    lasting: readonly string[];
  },
): string {
  const time = `${Math.floor(elapsedMs / 60_000)}:${String(Math.floor(elapsedMs / 1000) % 60).padStart(2, "0")}`;
  const live = cluster.members.map(({ kubelet }) => kubelet.live.length).join("+");
  const struck = [...faults.map(({ kind, node }) => `${kind} ${node}`), ...lasting].join(", ");
  const verdict = found === 0 ? "as it must be" : `${found} DISCREPANCIES`;
  const changes = `${churn.length} changes, ${live} pods`;
  return `${time.padStart(6)}  round ${number}: ${struck || "no fault"}; ${changes}: ${verdict}`;
}

if (import.meta.main) main(Deno.args).then(Deno.exit);
