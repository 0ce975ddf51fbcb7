import { fieldsOf } from "../json/fields.ts";
import { Interner } from "./_interner.ts";
import type { Labels } from "./policy_world.ts";

const interner = new Interner<Labels>();

/**
 * @returns the labels; equal ones are one object. What is no text is left out, and of what is no object nothing is read
 */
export function parseLabels(raw: unknown): Labels {
  const entries = Object.entries(fieldsOf(raw)).filter((entry): entry is [string, string] =>
    typeof entry[1] === "string"
  );
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return interner.share(JSON.stringify(entries), () => new Map(entries));
}
