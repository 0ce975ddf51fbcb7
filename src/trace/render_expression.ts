/** Rules as nft writes them, so that an operator finds them again in `nft -a list table`. */
import type { Expression, Rule, Value, Verdict } from "./ruleset.ts";

/** @returns `ip saddr 192.0.2.0-192.0.2.63 accept` */
export function renderRule({ expressions }: Rule): string {
  return expressions.map(renderExpression).join(" ");
}

function renderExpression(expression: Expression): string {
  switch (expression.kind) {
    case "match":
      return `${renderKeys(expression.keys)} ${expression.negated ? "!= " : ""}${renderValue(expression.value)}`;
    case "verdict":
      return renderVerdict(expression.verdict);
    case "vmap":
      return `${renderKeys(expression.keys)} vmap @${expression.map}`;
    case "aside":
    case "unknown":
      return expression.text;
  }
}

function renderKeys(keys: readonly string[]): string {
  return keys.map((key) => key.replace(/^meta (iif|oif|iifname|oifname)$/, "$1")).join(" . ");
}

function renderVerdict(verdict: Verdict): string {
  return verdict.kind === "jump" || verdict.kind === "goto" ? `${verdict.kind} ${verdict.chain}` : verdict.kind;
}

function renderValue(value: Value): string {
  switch (value.kind) {
    case "tuple":
      return value.parts.join(" . ");
    case "range":
      return `${value.first}-${value.last}`;
    case "prefix":
      return `${value.address}/${value.length}`;
    case "set":
      return `@${value.name}`;
    case "list":
      return value.values.map(renderValue).join(",");
  }
}
