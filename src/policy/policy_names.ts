/** What people call the chains and sets of the table, whose own names are hashes: so much of it as is in force on a node. */
import { InvalidInput } from "../fault/invalid_input.ts";
import { fieldsOf, isText, itemsOf } from "../json/fields.ts";

export interface PolicyNames {
  /** `namespace/name` of each policy that a pod of the node asks; sorted. */
  readonly policies: readonly string[];
  /** Name of a set -> `IPv4 addresses of pods with app in (web) of namespace default` */
  readonly sets: ReadonlyMap<string, string>;
}

/** @returns what `parsePolicyNames` reads */
export function renderPolicyNames({ policies, sets }: PolicyNames): unknown {
  return { policies, sets: Object.fromEntries(sets) };
}

/** @param raw parsed JSON. @throws InvalidInput for what `renderPolicyNames` does not make */
export function parsePolicyNames(raw: unknown): PolicyNames {
  const { policies, sets } = fieldsOf(raw);
  const texts = itemsOf(policies).filter(isText);
  const described = Object.entries(fieldsOf(sets)).flatMap(([name, text]) =>
    isText(text) ? [[name, text] as const] : []
  );
  if (!Array.isArray(policies) || texts.length !== policies.length) {
    throw new InvalidInput([{ field: "policies", value: JSON.stringify(policies) ?? "", rule: "must be names" }]);
  }
  return { policies: texts, sets: new Map(described) };
}
