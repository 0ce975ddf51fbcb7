import { isJsonObject, ownValue } from "../cnispec/json_value.ts";

/** @param request one of the agent's socket, parsed JSON. @returns what it has for a verb, of whatever type; undefined: nothing */
export function verbOf(request: unknown): unknown {
  return isJsonObject(request) ? ownValue(request, "verb") : undefined;
}
