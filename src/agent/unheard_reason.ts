import type { Family } from "../ip/address.ts";
import type { BgpPeer } from "../nodeconfig/node_config.ts";
import type { NodeView } from "./node_reconciler.ts";
import type { SessionView } from "./session_monitor.ts";

/** Why no router hears of an address of a family, though the node has it to tell. */
export type UnheardReason = "birdUnreachable" | "birdRefused" | "noPeer" | "noSession";

/** What is known of BIRD and its sessions. */
export interface Hearing {
  readonly view: Pick<NodeView, "bird" | "resolution">;
  readonly sessions: Pick<SessionView, "asked" | "sessions">;
}

/**
 * The first reason that holds. Before BIRD was asked for its sessions, its having taken the configuration is believed: what an agent
 * lacks that has just started is no withdrawal.
 *
 * @returns undefined: a router hears of it
 */
export function unheardReason(
  family: Family,
  { view, sessions: { asked, sessions } }: Hearing,
): UnheardReason | undefined {
  const { bird, resolution: { inForce } } = view;
  if (!bird.applied && bird.reason === "unreachable") return "birdUnreachable";
  if (asked && sessions === undefined) return "birdUnreachable";
  if (!bird.applied) return "birdRefused";
  const peers = inForce?.bgp?.peers.filter((peer) => carries(peer, family)) ?? [];
  if (peers.length === 0) return "noPeer";
  const up = new Set(sessions?.filter(({ established }) => established).map(({ peer }) => peer.text));
  return sessions === undefined || peers.some(({ address }) => up.has(address.text)) ? undefined : "noSession";
}

function carries({ address, extendedNextHop }: BgpPeer, family: Family): boolean {
  return address.family === family || extendedNextHop === true;
}
