import { InvalidInput } from "../fault/invalid_input.ts";
import { annotationField } from "./annotations.ts";

/** Whether what the policies drop is logged; its annotation's key without the prefix. */
export const LOG_DROPS = "log-drops";

/**
 * Reads an annotation that is `true` or `false`, in any case, spaces around tolerated (spec section 3).
 *
 * @param key without the prefix
 * @returns undefined when it is absent. @throws InvalidInput for anything else, naming annotation, value and rule
 */
export function parseSwitch(key: string, text: string | undefined): boolean | undefined {
  const word = text?.trim().toLowerCase();
  if (word === undefined) return undefined;
  if (word === "true" || word === "false") return word === "true";
  throw new InvalidInput([{ field: annotationField(key), value: text ?? "", rule: "must be true or false" }]);
}
