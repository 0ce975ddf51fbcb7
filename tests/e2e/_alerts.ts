/** Whether the alert rules fire for what was scraped from a real node, by promtool. */
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { readRules, RULES_FILE } from "../monitoring/rules.ts";

type Samples = ReadonlyMap<string, number>;

/** What was scraped while a fault lasted. */
export interface AlertSight {
  /** That fires when it goes on lasting; absent: none does. */
  readonly alert?: string;
  /** Absent: nobody answered the scrape before. */
  readonly before?: Samples;
  readonly samples: Samples;
}

const PROMTOOL = "/usr/bin/promtool";
const COUNTER = /^\w+_(?:total|count|sum|bucket)(?:\{|$)/;
const LABELS = 'job="flock",instance="a"';

/** @throws with what promtool says when an alert does not fire, or one does for a sight without any */
export async function expectAlerts(sights: readonly AlertSight[]): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    const asked = new Set((await readRules()).flatMap(({ expr }) => expr.match(/\w+/g) ?? []));
    const tests = sights.map((sight) => testOf(sight, asked));
    await Deno.writeTextFile(file, JSON.stringify({ rule_files: [RULES_FILE], evaluation_interval: "1m", tests }));
    const argv = [PROMTOOL, "test", "rules", file] as const;
    const { code, stdout, stderr } = await createSystemRunner().run(argv, { timeoutMs: 60_000 });
    if (code !== 0) throw new Error(`Cannot see the alerts: ${stdout}${stderr}`);
  } finally {
    await Deno.remove(file);
  }
}

/**
 * The fault goes on for half an hour as it began: what counts goes on counting.
 *
 * @param asked names of the series that rules ask for, among other words: promtool need not carry the rest along
 */
function testOf({ alert, before = new Map(), samples }: AlertSight, asked: ReadonlySet<string>): unknown {
  const up = samples.get("up") ?? 1;
  const series = [...samples].filter(([name, value]) =>
    name !== "up" && asked.has(name.replace(/\{.*/, "")) && Number.isFinite(value)
  ).map(
    ([name, value]) => {
      const growth = COUNTER.test(name) ? value - (before.get(name) ?? 0) : 0;
      return { series: labelled(name), values: `${value}+${alert === undefined ? 0 : growth}x40` };
    },
  );
  const named = alert === undefined ? "" : `alertname="${alert}",`;
  const firing = `count(ALERTS{${named}alertstate="firing"}) or vector(0)`;
  return {
    name: alert ?? "nothing is wrong",
    interval: "1m",
    input_series: [{ series: `up{${LABELS}}`, values: `${up}x40` }, ...series],
    promql_expr_test: [{
      expr: `(${firing}) > bool 0`,
      eval_time: "30m",
      exp_samples: [{ labels: "{}", value: alert === undefined ? 0 : 1 }],
    }],
  };
}

function labelled(name: string): string {
  return name.includes("{") ? name.replace("{", `{${LABELS},`) : `${name}{${LABELS}}`;
}
