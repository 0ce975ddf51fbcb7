/** What people call things whose names in the table are hashes. */
import type { Direction, LabelRequirement, LabelSelector } from "./network_policy.ts";
import type { PodScope, SetSource } from "./set_source.ts";

const HASHED_NAME = /\b[a-z][a-z0-9_]*_[0-9a-f]{24}/g;

/** @returns `ingress of NetworkPolicy default/web` */
export function describeChain({ key, direction }: { readonly key: string; readonly direction: Direction }): string {
  return `${direction} of NetworkPolicy ${key}`;
}

/** @returns `IPv4 addresses of pods with app in (web) of namespace default` and the like */
export function describeSet(source: SetSource): string {
  if (source.kind === "linkPort") return `ports ${source.name} (${source.protocol}) of this node's pods`;
  const what = source.kind === "address" ? "addresses" : `addresses and ports ${source.name} (${source.protocol})`;
  return `IPv${source.family} ${what} of ${describeScope(source.scope)}`;
}

/** @param describe what people call a chain of a policy, or a set. @returns the text, and after it the names of those that it names by hashes */
export function explainNames(text: string, describe: (name: string) => string | undefined): string {
  const known = (text.match(HASHED_NAME) ?? []).flatMap((name) => describe(name) ?? []);
  return known.length === 0 ? text : `${text} (${[...new Set(known)].join("; ")})`;
}

function describeScope({ namespaces, pods }: PodScope): string {
  const where = typeof namespaces === "string" ? `namespace ${namespaces}` : describeNamespaces(namespaces);
  return `${pods.length === 0 ? "all pods" : `pods with ${describeSelector(pods)}`} of ${where}`;
}

function describeNamespaces(selector: LabelSelector): string {
  return selector.length === 0 ? "all namespaces" : `namespaces with ${describeSelector(selector)}`;
}

function describeSelector(selector: LabelSelector): string {
  return selector.map(describeRequirement).join(" and ");
}

function describeRequirement({ key, operator, values }: LabelRequirement): string {
  if (operator === "Exists") return key;
  if (operator === "DoesNotExist") return `no ${key}`;
  return `${key} ${operator === "In" ? "in" : "not in"} (${values.join(", ")})`;
}
