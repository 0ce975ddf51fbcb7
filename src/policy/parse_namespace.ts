import { fieldsOf, isText } from "../json/fields.ts";
import { parseLabels } from "./parse_labels.ts";
import type { Labels } from "./policy_world.ts";

/**
 * Reads a namespace's labels. Every namespace has `kubernetes.io/metadata.name`: the API server sees to it.
 *
 * @param raw a `v1` Namespace as the API server sends it
 * @returns undefined when it lacks a name
 */
export function parseNamespace(raw: unknown): Labels | undefined {
  const { name, labels } = fieldsOf(fieldsOf(raw)["metadata"]);
  return isText(name) ? parseLabels(labels) : undefined;
}
