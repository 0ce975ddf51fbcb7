/** Commands about flock's table. */
import { checkName, POLICY_TABLE } from "./names.ts";

/** @param rules none: the chain alone */
export function addChain(name: string, rules: readonly string[]): string {
  const body = rules.length === 0 ? "" : ` { ${rules.map((rule) => `${rule};`).join(" ")} }`;
  return `add chain ${named(name)}${body}`;
}

/** @returns the table and the name, as commands take them */
export function named(name: string): string {
  return `${POLICY_TABLE} ${checkName(name)}`;
}
