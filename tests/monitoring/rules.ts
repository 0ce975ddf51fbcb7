/** The alert rules of deploy/monitoring, as they are written. */
import { load } from "js-yaml";
import { record, records } from "../lab/json.ts";

export const RULES_FILE = new URL("../../deploy/monitoring/alerts.yaml", import.meta.url).pathname;

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** Such as `2m`; empty: at once. */
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export async function readRules(): Promise<AlertRule[]> {
  const { groups } = record(load(await Deno.readTextFile(RULES_FILE)));
  return records(groups).flatMap(({ rules }) => records(rules)).map((rule) => ({
    alert: String(rule["alert"]),
    expr: String(rule["expr"]),
    for: String(rule["for"] ?? ""),
    labels: texts(rule["labels"]),
    annotations: texts(rule["annotations"]),
  }));
}

function texts(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(record(value)).map(([key, text]) => [key, String(text)]));
}
