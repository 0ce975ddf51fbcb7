import type { Problem } from "../fault/invalid_input.ts";
import { type Address, contains } from "../ip/address.ts";
import { fieldsOf, itemsOf } from "../json/fields.ts";
import { type KubeClient, KubeError } from "../kube/kube_client.ts";
import { CLAIM_KEYS, type ClaimKey, claimProblem, type Claims, validClaims } from "../pod/claims.ts";
import { parsePod } from "../pod/parse_pod.ts";
import type { OtherNode } from "./cluster_prefixes.ts";

const PODS = "/api/v1/pods";
const READ_TIMEOUT_MS = 3_000;
/** Phases in which a pod has its addresses no more. */
const ENDED: readonly unknown[] = ["Succeeded", "Failed"];

/** What was found out of addresses in other nodes' CIDRs. */
export interface Findings {
  /** address -> who has it, as `pod default/web-0 on node-b`, and does not claim it: to share one, both have to */
  readonly holders: ReadonlyMap<string, string>;
  /** address -> why nobody can tell now who has it */
  readonly untold: ReadonlyMap<string, string>;
}

/** Nobody has them, or nobody was to be asked. */
export const NOTHING_FOUND: Findings = { holders: new Map(), untold: new Map() };

/**
 * Finds out whose the addresses are that a pod claims from other nodes' CIDRs: a route to one address is longer than its node's prefix,
 * and would lead the router from the pod that has it to this node. Addresses outside of all CIDRs, as most are, cost nothing.
 */
export class ClaimInquiry {
  constructor(private readonly kube: Pick<KubeClient, "get">) {}

  /** One request for each node that is concerned, all at once. Waits 3 s at most, and never throws. */
  async ask(addresses: readonly Address[], nodes: readonly OtherNode[]): Promise<Findings> {
    const findings = await Promise.all(
      nodes.filter((node) => addressesIn(node, addresses).length > 0).map((node) =>
        this.#askOf(node, addressesIn(node, addresses))
      ),
    );
    return {
      holders: new Map(findings.flatMap(({ holders }) => [...holders])),
      untold: new Map(findings.flatMap(({ untold }) => [...untold])),
    };
  }

  async #askOf({ name }: OtherNode, addresses: readonly Address[]): Promise<Findings> {
    try {
      const holders = name === undefined ? unheard() : holdersIn(await this.#podsOf(name), name);
      return {
        holders: new Map(addresses.flatMap(({ text }) => {
          const holder = holders.get(text);
          return holder === undefined ? [] : [[text, holder]];
        })),
        untold: new Map(),
      };
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      return { holders: new Map(), untold: new Map(addresses.map(({ text }) => [text, error.message])) };
    }
  }

  async #podsOf(node: string): Promise<readonly unknown[]> {
    const selector = encodeURIComponent(`spec.nodeName=${node}`);
    const list = await this.kube.get(`${PODS}?fieldSelector=${selector}`, { timeoutMs: READ_TIMEOUT_MS });
    if (list === undefined) throw new KubeError(`Cannot list the pods of node "${node}": 404`, 404);
    return itemsOf(list["items"]);
  }
}

/** @returns those that lie in the node's CIDRs */
export function addressesIn({ prefixes }: OtherNode, addresses: readonly Address[]): Address[] {
  return addresses.filter((address) => prefixes.some((prefix) => contains(prefix, address)));
}

/** @returns for each claim of these that cannot be judged now, that it waits, and why */
export function untoldClaims(
  claims: Claims,
  { keys = CLAIM_KEYS, untold }: { readonly keys?: readonly ClaimKey[]; readonly untold: Findings["untold"] },
): Problem[] {
  return keys.flatMap((key) =>
    claims[key].flatMap((address) => {
      const why = untold.get(address.text);
      const rule = `must not be another pod's, which cannot be told now: ${why}`;
      return why === undefined ? [] : [claimProblem(key, address, rule)];
    })
  );
}

/** @returns address -> who has it without a claim */
function holdersIn(pods: readonly unknown[], node: string): Map<string, string> {
  return new Map(pods.flatMap((raw) => {
    const pod = parsePod(raw);
    if (pod === undefined || ENDED.includes(fieldsOf(fieldsOf(raw)["status"])["phase"])) return [];
    const claimed = new Set(validClaims(pod.annotations).map(({ text }) => text));
    return pod.ips.filter((text) => !claimed.has(text)).map((text): [string, string] => [
      text,
      `pod ${pod.namespace}/${pod.name} on ${node}`,
    ]);
  }));
}

function unheard(): never {
  throw new KubeError("the API server has not answered yet", undefined);
}
