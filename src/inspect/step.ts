import { contains, hostPrefix, parseAddress, parsePrefix } from "../ip/address.ts";
import type { Belief } from "./belief.ts";
import type { Gathered } from "./sources.ts";

/** One step of a pod's way. */
export interface Step {
  readonly step: string;
  readonly should: string;
  readonly is: string;
  /** `unseen`: nobody knows, or it is only told. */
  readonly verdict: "well" | "wrong" | "notice" | "unseen";
  readonly hint?: string;
}

/** What a step is judged by. */
export interface Around {
  readonly gathered: Gathered;
  readonly belief: Belief;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function told(step: string, is: string): Step {
  return { step, should: "", is, verdict: "unseen" };
}

/** @returns the CIDR in force that holds the address */
export function cidrOf(text: string, { nodeConfig }: Belief): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  return [...nodeConfig?.cidr6 ?? [], ...nodeConfig?.cidr4 ?? []].find((cidr) => {
    const prefix = parsePrefix(cidr);
    return prefix !== undefined && contains(prefix, hostPrefix(address));
  });
}

/** @returns what to do about a difference in the kernel */
export function whenPutBack({ from }: Belief): string {
  return from === "agent"
    ? "the agent puts it back within 2 s: look again; if it stays, its log says why"
    : "the agent puts it back when it runs again";
}
