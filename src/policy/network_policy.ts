import type { Prefix } from "../ip/address.ts";

/**
 * One statement about one label (`LabelSelectorRequirement`, meta/v1); `matchLabels` are of the operator `In` with one
 * value.
 */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  /** Sorted, without duplicates; empty for `Exists` and `DoesNotExist`. */
  readonly values: readonly string[];
}

/**
 * All requirements hold; without any, everything is selected. Sorted by key, operator and values, so that equal
 * selectors look equal.
 */
export type LabelSelector = readonly LabelRequirement[];

/** Protocols that a policy can name (core/v1 `Protocol`). */
export const PROTOCOLS = ["tcp", "udp", "sctp"] as const;
export type Protocol = typeof PROTOCOLS[number];

/**
 * Pods: of the policy's own namespace when `namespaces` is absent, else of all namespaces whose labels it selects; of
 * those the ones that `pods` selects.
 */
export interface PodPeer {
  readonly kind: "pods";
  readonly namespaces?: LabelSelector;
  readonly pods: LabelSelector;
}

/** Addresses, whoever has them; host bits are already masked. */
export interface BlockPeer {
  readonly kind: "block";
  readonly cidr: Prefix;
  /** Each inside `cidr`; they take from this peer only. */
  readonly except: readonly Prefix[];
}

/** A range of ports, both ends in it; one port is a range of one, all ports of a protocol 0-65535. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** What `ports` says of one protocol: numbers, or the name of a container's port of the destination pod. */
export type PolicyPort =
  | { readonly kind: "range"; readonly protocol: Protocol; readonly range: PortRange }
  | { readonly kind: "named"; readonly protocol: Protocol; readonly name: string };

/** One rule: a packet matches when one of the peers does and one of the ports does. */
export interface PolicyRule {
  /** Absent: everybody, inside and outside of the cluster. Never empty. */
  readonly peers?: readonly (PodPeer | BlockPeer)[];
  /** Absent: every protocol and every port, ICMP too. Never empty. */
  readonly ports?: readonly PolicyPort[];
}

/** `ingress`: to the selected pods; `egress`: from them. */
export const DIRECTIONS = ["ingress", "egress"] as const;
export type Direction = typeof DIRECTIONS[number];

/** A NetworkPolicy (`networking.k8s.io/v1`), parsed. */
export interface NetworkPolicy {
  readonly namespace: string;
  readonly name: string;
  /** Of the policy's own namespace. */
  readonly podSelector: LabelSelector;
  /**
   * Per direction in which the policy isolates the pods that it selects: what it allows. Absent: it says nothing about
   * that direction.
   */
  readonly rules: { readonly [D in Direction]?: readonly PolicyRule[] };
  /**
   * Why the policy cannot be compiled, a sentence for an operator; absent when it can. Such a policy isolates what it
   * selects (in every direction that it may mean, and the whole namespace when its selector is what cannot be read) and
   * allows nothing: it fails closed for its own pods only (spec section 9).
   */
  readonly defect?: string;
}
