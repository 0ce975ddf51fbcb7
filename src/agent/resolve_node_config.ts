import { InvalidInput } from "../fault/invalid_input.ts";
import { isHost, parsePrefix, type Prefix } from "../ip/address.ts";
import { checkAgainstHost, type HostAddresses } from "../nodeconfig/check_against_host.ts";
import { checkAgainstOthers } from "../nodeconfig/check_against_others.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import { parseNodeConfig } from "../nodeconfig/parse_node_config.ts";

/** A NodeConfig as the watch keeps it: parsed, or what is wrong with it. */
export interface NodeConfigReading {
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly outcome: NodeConfig | InvalidInput;
  /** What its node's agent reports as advertised. */
  readonly advertised: readonly Prefix[];
  /** Of the conditions in its status; of this node's own NodeConfig only: who reads all of them has no use for others'. */
  readonly transitions?: readonly ConditionTransition[];
}

/** A condition's status, and since when it is that. */
export interface ConditionTransition {
  readonly type: string;
  readonly status: string;
  /** RFC 3339. */
  readonly since: string;
}

/** What became of this node's NodeConfig; the reason is a status condition's. */
export type Verdict =
  | { readonly reason: "Accepted"; readonly message: string }
  /** It breaks a rule; the last good one stays in force. */
  | { readonly reason: "Invalid"; readonly message: string }
  /** It was deleted; the last good one stays in force. */
  | { readonly reason: "Deleted"; readonly message: string }
  /** Nobody knows whether it still says so; the last good one is in force. */
  | { readonly reason: "Unheard"; readonly message: string }
  /** There has never been one. */
  | { readonly reason: "Missing"; readonly message: string };

export interface NodeConfigSources {
  readonly nodeName: string;
  /** node name -> reading, of the whole cluster */
  readonly readings: ReadonlyMap<string, NodeConfigReading>;
  readonly network: HostAddresses;
  /** The one in force so far. */
  readonly inForce: NodeConfig | undefined;
  /** address of a pod of this node -> whose it is, as `pod default/web-0`; absent: there are no pods */
  readonly podAddresses?: ReadonlyMap<string, string>;
}

/** Which NodeConfig is in force, why, and what an operator should know all the same. */
export interface NodeConfigResolution {
  readonly inForce: NodeConfig | undefined;
  readonly verdict: Verdict;
  readonly warnings: readonly string[];
}

/** For the watch. @param ownName the NodeConfig of this node. @returns undefined for an object without a name */
export function decodeNodeConfig(
  raw: Readonly<Record<string, unknown>>,
  ownName?: string,
): NodeConfigReading | undefined {
  const { name, uid, generation } = asRecord(raw["metadata"]);
  if (typeof name !== "string") return undefined;
  const status = asRecord(raw["status"]);
  const identity = {
    name,
    uid: String(uid ?? ""),
    generation: typeof generation === "number" ? generation : 0,
    advertised: parsePrefixes(status["advertised"]),
    ...(name === ownName ? { transitions: transitionsOf(status["conditions"]) } : {}),
  };
  try {
    return { ...identity, outcome: parseNodeConfig(raw) };
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return { ...identity, outcome: error };
  }
}

/** An invalid or deleted NodeConfig never replaces a valid one that is in force (spec section 2). */
export function resolveNodeConfig(sources: NodeConfigSources): NodeConfigResolution {
  const { nodeName, readings, network, inForce, podAddresses = new Map<string, string>() } = sources;
  const own = readings.get(nodeName);
  if (own === undefined) return { inForce, verdict: absence(nodeName, inForce), warnings: [] };
  if (own.outcome instanceof InvalidInput) return rejected(inForce, own.outcome.message);
  const others = [...readings.values()].flatMap(({ name, outcome }) =>
    name === nodeName || outcome instanceof InvalidInput ? [] : [outcome]
  );
  const advertised = new Map([...readings.values()].map((reading) => [reading.name, heldBy(reading)]));
  if (inForce !== undefined) advertised.set(nodeName, [...heldBy(own), ...inForce.cidr6, ...inForce.cidr4]);
  const { problems, warnings } = checkAgainstOthers(own.outcome, others, advertised);
  const all = [...checkAgainstHost(own.outcome, network), ...problems];
  if (all.length > 0) return rejected(inForce, new InvalidInput(all).message);
  return {
    ...{ inForce: own.outcome, verdict: { reason: "Accepted", message: "in force" } },
    warnings: [...warnings, ...peersOfPods(own.outcome, podAddresses)],
  };
}

/** No pod may claim a peer's address, but one may have been first; it keeps it: to take it away would cut it off. */
function peersOfPods({ bgp }: NodeConfig, podAddresses: ReadonlyMap<string, string>): string[] {
  return (bgp?.peers ?? []).flatMap(({ address: { text } }, index) => {
    const holder = podAddresses.get(text);
    if (holder === undefined) return [];
    return [`spec.bgp.peers[${index}].address ${text} is ${holder}'s as well: what is for the router goes to the pod`];
  });
}

/** What is in force as long as the API server has not said a word since the agent's start. */
export function resolveUnheard(inForce: NodeConfig): NodeConfigResolution {
  const message = `the API server has not answered yet; generation ${inForce.generation}, as remembered, is in force`;
  return { inForce, verdict: { reason: "Unheard", message }, warnings: [] };
}

function rejected(inForce: NodeConfig | undefined, message: string): NodeConfigResolution {
  const kept = inForce === undefined ? "no NodeConfig is in force" : `generation ${inForce.generation} stays in force`;
  return { inForce, verdict: { reason: "Invalid", message: `${message}; ${kept}` }, warnings: [] };
}

function absence(nodeName: string, inForce: NodeConfig | undefined): Verdict {
  if (inForce === undefined) return { reason: "Missing", message: `there is no NodeConfig "${nodeName}"` };
  return { reason: "Deleted", message: `NodeConfig "${nodeName}" was deleted; its last content stays in force` };
}

function transitionsOf(conditions: unknown): ConditionTransition[] {
  return (Array.isArray(conditions) ? conditions : []).map(asRecord).map((each) => ({
    ...{ type: String(each["type"]), status: String(each["status"]) },
    since: String(each["lastTransitionTime"]),
  }));
}

function parsePrefixes(list: unknown): Prefix[] {
  return Array.isArray(list) ? list.flatMap((text) => parsePrefix(String(text)) ?? []) : [];
}

/**
 * A single address is no claim to the CIDR around it, whether a pod chose it by annotation or kept it when its node's CIDR changed: its
 * route is longer, and IPAM gives it to nobody. Else one pod's annotation would make another node's NodeConfig invalid.
 */
function heldBy({ advertised }: NodeConfigReading): Prefix[] {
  return advertised.filter((prefix) => !isHost(prefix));
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
