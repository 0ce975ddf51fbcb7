/** Where the elements of the table's sets come from. */
import type { Family } from "../ip/address.ts";
import { ANYTHING, selectorText, selects } from "./label_selector.ts";
import { hashText } from "./names.ts";
import type { LabelSelector, PodPeer, Protocol } from "./network_policy.ts";
import type { PolicySetType } from "./policy_table.ts";
import type { Labels, NamedPort, PolicyPod, PolicyTarget } from "./policy_world.ts";

/** Pods of the cluster by namespace and labels. */
export interface PodScope {
  /** The namespace's name, or what selects namespaces by their labels. */
  readonly namespaces: string | LabelSelector;
  readonly pods: LabelSelector;
}

/** A set and what it is to hold. Equal sources have the same name, so rules and policies share their set. */
export type SetSource =
  | { readonly kind: "address"; readonly family: Family; readonly scope: PodScope }
  | { readonly kind: "linkPort"; readonly protocol: Protocol; readonly name: string }
  | {
    readonly kind: "addressPort";
    readonly family: Family;
    readonly protocol: Protocol;
    readonly name: string;
    readonly scope: PodScope;
  };

/** A set that pods of the cluster fill. */
export type PodSetSource = Exclude<SetSource, { readonly kind: "linkPort" }>;

/** All pods of the cluster. */
export const EVERY_POD: PodScope = { namespaces: ANYTHING, pods: ANYTHING };

/** @param namespace the policy's own */
export function scopeOf(peer: PodPeer, namespace: string): PodScope {
  return { namespaces: peer.namespaces ?? namespace, pods: peer.pods };
}

/** @returns a text that equal scopes share, and no others */
export function scopeText({ namespaces, pods }: PodScope): string {
  return JSON.stringify([typeof namespaces === "string" ? namespaces : [selectorText(namespaces)], selectorText(pods)]);
}

/** @returns the set's name in the table */
export function setName(source: SetSource): string {
  if (source.kind === "address") return `peers${source.family}_${hashText(scopeText(source.scope))}`;
  if (source.kind === "linkPort") return `ports_${source.protocol}_${hashText(source.name)}`;
  const { family, protocol, name, scope } = source;
  return `ports${family}_${protocol}_${hashText(JSON.stringify([name, scopeText(scope)]))}`;
}

export function setTypeOf(source: SetSource): PolicySetType {
  if (source.kind === "address") return { kind: "address", family: source.family };
  if (source.kind === "linkPort") return { kind: "linkPort", protocol: source.protocol };
  return { kind: "addressPort", family: source.family, protocol: source.protocol };
}

/** Says whether a pod is in the scope. @param namespaceLabels of the pod's namespace */
export function isInScope(scope: PodScope, pod: PolicyPod, namespaceLabels: Labels): boolean {
  const { namespaces, pods } = scope;
  const inNamespace = typeof namespaces === "string"
    ? namespaces === pod.namespace
    : selects(namespaces, namespaceLabels);
  return inNamespace && selects(pods, pod.labels);
}

/** @returns what a pod in the source's scope adds to the set */
export function elementsOfPod(source: PodSetSource, { addresses, ports }: PolicyPod): string[] {
  const own = addresses.filter((address) => address.includes(":") === (source.family === 6));
  if (source.kind === "address") return own;
  return own.flatMap((address) => numbersOf(source, ports).map((port) => `${address} . ${port}`));
}

/** @returns what a pod of this node adds to a set of its kind */
export function elementsOfTarget(
  source: Extract<SetSource, { readonly kind: "linkPort" }>,
  { link, target }: { readonly link: string; readonly target: PolicyTarget },
): string[] {
  return numbersOf(source, target.ports).map((port) => `"${link}" . ${port}`);
}

/** A name that two containers give to different numbers means both (NP-23). */
function numbersOf(wanted: Pick<NamedPort, "name" | "protocol">, ports: readonly NamedPort[]): number[] {
  const named = ports.filter(({ name, protocol }) => name === wanted.name && protocol === wanted.protocol);
  return [...new Set(named.map(({ port }) => port))];
}
