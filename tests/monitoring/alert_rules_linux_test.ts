/** The alert rules, judged by promtool: each fires for what it is about, and for nothing else. */
import { assertEquals } from "@std/assert";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { ensurePackages } from "../lab/packages.ts";
import { ALERT_CASES, type AlertCase } from "./alert_cases.ts";
import { type AlertRule, readRules, RULES_FILE } from "./rules.ts";

const PROMTOOL = "/usr/bin/promtool";

Deno.test("every alert rule fires for its fault, with what an operator is told, and not without (promtool)", async () => {
  const runner = createSystemRunner();
  await ensurePackages(["prometheus"], { runner });
  const rules = new Map((await readRules()).map((rule) => [rule.alert, rule]));
  assertEquals([...rules.keys()].filter((alert) => ALERT_CASES.every((each) => each.alert !== alert)), []);
  const tests = ALERT_CASES.flatMap((each) => {
    const rule = rules.get(each.alert);
    if (rule === undefined) throw new Error(`no rule ${each.alert}`);
    return [
      testOf(each, { series: each.sick, fires: [firingOf(each, rule)] }),
      testOf(each, { series: each.well, fires: [] }),
    ];
  });
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, JSON.stringify({ rule_files: [RULES_FILE], evaluation_interval: "1m", tests }));
    for (const argv of [[PROMTOOL, "check", "rules", RULES_FILE], [PROMTOOL, "test", "rules", file]] as const) {
      const { code, stdout, stderr } = await runner.run(argv, { timeoutMs: 60_000 });
      assertEquals(code, 0, stdout + stderr);
    }
  } finally {
    await Deno.remove(file);
  }
});

function testOf({ alert, at = "30m" }: AlertCase, { series, fires }: {
  readonly series: AlertCase["sick"];
  readonly fires: readonly unknown[];
}): unknown {
  return {
    interval: "1m",
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: fires }],
  };
}

function firingOf({ labels = {} }: AlertCase, rule: AlertRule): unknown {
  const all: Record<string, string> = { instance: "a", ...labels };
  const filled = Object.entries(rule.annotations).map(([key, text]) => [
    key,
    text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, name: string) => all[name] ?? ""),
  ]);
  return { exp_labels: { ...all, ...rule.labels }, exp_annotations: Object.fromEntries(filled) };
}
