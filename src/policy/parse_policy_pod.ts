import { parseAddress } from "../ip/address.ts";
import { ANNOTATION_PREFIX } from "../pod/annotations.ts";
import { CLAIM_KEYS, validClaims } from "../pod/claims.ts";
import { fieldsOf, isText, itemsOf } from "../json/fields.ts";
import { parseLabels } from "./parse_labels.ts";
import { parseNamedPorts } from "./parse_named_ports.ts";
import type { PolicyPod } from "./policy_world.ts";

/** A finished pod's addresses may belong to another by now (NP-42). */
const FINISHED: readonly unknown[] = ["Succeeded", "Failed"];

/**
 * Cuts a pod of the cluster down to what makes it a peer. Never throws, whatever the object holds.
 *
 * @param raw a `v1` Pod as the API server sends it
 * @returns undefined when it is no peer: it uses its node's network (NP-32), is finished, or has no address yet (NP-41)
 */
export function parsePolicyPod(raw: unknown): PolicyPod | undefined {
  const { metadata, spec, status } = fieldsOf(raw);
  const { namespace, labels, annotations } = fieldsOf(metadata);
  const { phase, podIPs } = fieldsOf(status);
  if (!isText(namespace) || fieldsOf(spec)["hostNetwork"] === true || FINISHED.includes(phase)) return undefined;
  const own = itemsOf(podIPs).flatMap((each) => addressText(fieldsOf(each)["ip"]));
  if (own.length === 0) return undefined;
  return {
    namespace,
    labels: parseLabels(labels),
    addresses: [...new Set([...own, ...claimedTexts(fieldsOf(annotations))])],
    ports: parseNamedPorts(spec),
  };
}

function addressText(raw: unknown): string[] {
  const address = typeof raw === "string" ? parseAddress(raw) : undefined;
  return address === undefined ? [] : [address.text];
}

/** Of the annotations of a pod of any node: whether that node could grant what they say, only it knows. */
function claimedTexts(annotations: Readonly<Record<string, unknown>>): string[] {
  const claims = CLAIM_KEYS.flatMap((key): [string, string][] => {
    const value = annotations[ANNOTATION_PREFIX + key];
    return typeof value === "string" ? [[key, value]] : [];
  });
  return claims.length === 0 ? [] : validClaims(new Map(claims)).map(({ text }) => text);
}
