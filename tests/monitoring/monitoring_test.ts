/** Dashboard, alert rules, README and metrics name the same things. */
import { assert, assertEquals } from "@std/assert";
import { HISTOGRAMS } from "../../src/agent/instruments.ts";
import { METRICS } from "../../src/agent/node_metrics.ts";
import { record, records } from "../lab/json.ts";
import { readRules } from "./rules.ts";

const ROOT = new URL("../../", import.meta.url);
/** What Prometheus itself adds. */
const ADDED = ["instance", "job"];

/** Metric -> the labels of its series. */
const SERIES = new Map<string, readonly string[]>([
  ["up", []],
  ...METRICS.map(({ name, labels = [] }) => [name, labels] as const),
  ...Object.values(HISTOGRAMS).flatMap(({ name, labels = [] }) => [
    [`${name}_bucket`, [...labels, "le"]] as const,
    [`${name}_sum`, labels] as const,
    [`${name}_count`, labels] as const,
  ]),
]);

/** @returns `metric label` for each that a PromQL expression names and no scrape has */
function unknownIn(expr: string): string[] {
  const selectors = [...expr.matchAll(/\b(up|(?:flock|process)_\w+)(?:\{([^}]*)\})?/g)];
  assert(selectors.length > 0, `${expr} names no metric`);
  return selectors.flatMap(([, name = "", matchers = ""]) => {
    const labels = SERIES.get(name);
    if (labels === undefined) return [name];
    const used = [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = ""]) => label);
    return used.filter((label) => !labels.includes(label) && !ADDED.includes(label)).map((label) => `${name} ${label}`);
  });
}

async function dashboardExpressions(): Promise<string[]> {
  const dashboard = record(JSON.parse(await Deno.readTextFile(new URL("deploy/monitoring/dashboard.json", ROOT))));
  const targets = records(dashboard["panels"]).flatMap((panel) => records(panel["targets"]));
  return targets.map(({ expr }) => String(expr));
}

Deno.test("every metric and label that the alert rules name is one of a scrape", async () => {
  const rules = await readRules();
  assert(rules.length >= 20);
  assertEquals(rules.flatMap(({ expr }) => unknownIn(expr)), []);
  assertEquals(unknownIn('rate(flock_nonsense_total[5m]) > flock_bird_up{peer="x"}'), [
    ...["flock_nonsense_total", "flock_bird_up peer"],
  ]);
});

Deno.test("every metric and label that the dashboard names is one of a scrape, and it shows every family", async () => {
  const expressions = await dashboardExpressions();
  assertEquals(expressions.flatMap(unknownIn), []);
  for (const part of ["cni", "pool", "bgp", "anycast", "policy", "dropped", "repairs", "api", "state", "reconcile"]) {
    assert(expressions.some((expr) => expr.includes(`flock_${part}`)), part);
  }
});

Deno.test("every alert has a severity, a summary and a section of its own in the README, and no section is without one", async () => {
  const rules = await readRules();
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const sections = [...readme.matchAll(/^#+ (Flock\w+)$/gm)].map(([, name]) => name);
  assertEquals(sections.toSorted(), rules.map(({ alert }) => alert).toSorted());
  for (const { alert, labels, annotations } of rules) {
    assert(["info", "warning", "critical"].includes(labels["severity"] ?? ""), alert);
    assert((annotations["summary"] ?? "") !== "", alert);
    assertEquals(annotations["runbook_url"], `https://github.com/fritzlab/flock#${alert.toLowerCase()}`);
  }
});

Deno.test("metrics are named as Prometheus' users expect: unit last, _total for counters alone, help that ends in a stop", () => {
  for (const { name, type, help } of METRICS) {
    assertEquals(name.endsWith("_total"), type === "counter", name);
    assert(/^(flock|process)_[a-z0-9_]+$/.test(name) && help.endsWith("."), `${name}: ${help}`);
  }
  for (const { name, buckets } of Object.values(HISTOGRAMS)) {
    assert(name.endsWith("_seconds"), name);
    assertEquals(buckets, buckets.toSorted((a, b) => a - b), name);
  }
  assertEquals(new Set(SERIES.keys()).size, SERIES.size);
});
