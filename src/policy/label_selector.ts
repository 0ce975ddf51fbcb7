/** Label selectors (`LabelSelector`, meta/v1): parsed, asked, and as texts that are equal when they say the same. */
import { expectObject, isAbsent, isText, readList, readObject, refuse } from "../json/fields.ts";
import type { LabelRequirement, LabelSelector } from "./network_policy.ts";
import type { Labels } from "./policy_world.ts";

/**
 * What is asked of values: those of `In` and `NotIn` must be some, the others take none (apimachinery,
 * `labels.NewRequirement`).
 */
const TAKES_VALUES: Readonly<Record<LabelRequirement["operator"], boolean>> = {
  In: true,
  NotIn: true,
  Exists: false,
  DoesNotExist: false,
};

/** Selects everything. */
export const ANYTHING: LabelSelector = [];

/**
 * Reads a selector that is there: `{}` selects everything. What an absent one means is the caller's to know.
 *
 * @param field where it stands, for messages
 * @throws InvalidInput
 */
export function parseLabelSelector(field: string, raw: unknown): LabelSelector {
  const { matchLabels, matchExpressions } = readObject(field, raw, ["matchLabels", "matchExpressions"]);
  return canonical([
    ...parseMatchLabels(`${field}.matchLabels`, matchLabels),
    ...readList(`${field}.matchExpressions`, matchExpressions).map((item, index) =>
      parseExpression(`${field}.matchExpressions[${index}]`, item)
    ),
  ]);
}

/** Says whether all requirements hold. `NotIn` and `DoesNotExist` hold for what lacks the label. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  return selector.every(({ key, operator, values }) => {
    const value = labels.get(key);
    if (operator === "Exists") return value !== undefined;
    if (operator === "DoesNotExist") return value === undefined;
    return (value !== undefined && values.includes(value)) === (operator === "In");
  });
}

/** @returns a text that equal selectors share, and no others */
export function selectorText(selector: LabelSelector): string {
  return JSON.stringify(selector.map(({ key, operator, values }) => [key, operator, ...values]));
}

function parseMatchLabels(field: string, raw: unknown): LabelRequirement[] {
  if (isAbsent(raw)) return [];
  return Object.entries(expectObject(field, raw)).map(([key, value]) => {
    if (typeof value !== "string") refuse(`${field}[${key}]`, value, "must be a text");
    return { key, operator: "In", values: [value] };
  });
}

function parseExpression(field: string, raw: unknown): LabelRequirement {
  const { key, operator, values } = readObject(field, raw, ["key", "operator", "values"]);
  if (!isText(key)) refuse(`${field}.key`, key, "must be a text that is not empty");
  if (!isOperator(operator)) refuse(`${field}.operator`, operator, "must be In, NotIn, Exists or DoesNotExist");
  const list = readList(`${field}.values`, values);
  if (!list.every((value) => typeof value === "string")) refuse(`${field}.values`, values, "must be texts");
  if (TAKES_VALUES[operator] !== list.length > 0) {
    refuse(`${field}.values`, values, TAKES_VALUES[operator] ? "must not be empty" : `must be empty for ${operator}`);
  }
  return { key, operator, values: [...new Set(list)].sort() };
}

function isOperator(value: unknown): value is LabelRequirement["operator"] {
  return typeof value === "string" && Object.hasOwn(TAKES_VALUES, value);
}

function canonical(requirements: readonly LabelRequirement[]): LabelSelector {
  const byText = new Map(requirements.map((requirement) => [selectorText([requirement]), requirement]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, requirement]) => requirement);
}
