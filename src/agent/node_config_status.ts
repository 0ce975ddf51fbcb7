/** What a NodeConfig's status says beside its conditions. */
import type { AnycastDecision } from "../anycast/resolve_anycast.ts";
import type { SessionState } from "../bird/bird_driver.ts";
import { hostPrefix } from "../ip/address.ts";
import type { KubeObject } from "../kube/kube_client.ts";
import type { NodeFacts } from "./node_conditions.ts";
import type { NodeView } from "./node_reconciler.ts";
import { unheardReason } from "./unheard_reason.ts";

/** @returns what changes seldom */
export function steadyStatus(facts: NodeFacts): KubeObject {
  const { view, sessions: { sessions = [] } } = facts;
  const peers = view.resolution.inForce?.bgp?.peers ?? [];
  const up = sessions.filter(({ established }) => established).length;
  return {
    sessions: `${up}/${peers.length}`,
    peers: sessions.map(peerStatus),
    advertised: listedPrefixes(view),
    anycast: anycastStatus(facts),
  };
}

const MOST = BigInt(Number.MAX_SAFE_INTEGER);

/** @returns what every pod changes that comes or goes. An IPv6 pool may have more addresses than a number of JSON holds */
export function countsOf({ pods, pools }: NodeFacts): KubeObject {
  return {
    pods,
    pools: pools.map(({ cidr, used, usable }) => ({
      ...{ cidr: cidr.text, used },
      usable: Number(usable < MOST ? usable : MOST),
    })),
  };
}

/** Most prefixes that are listed; the schema allows no more. */
const MAX_PREFIXES = 4096;

/** The aggregates come first: other nodes' guards go by them. */
function listedPrefixes({ advertised, resolution: { inForce } }: NodeView): readonly string[] {
  if (advertised.length <= MAX_PREFIXES) return advertised;
  const aggregates = new Set([...inForce?.cidr6 ?? [], ...inForce?.cidr4 ?? []].map(({ text }) => text));
  const others = advertised.filter((text) => !aggregates.has(text));
  return [...advertised.filter((text) => aggregates.has(text)), ...others].slice(0, MAX_PREFIXES);
}

/** Most anycast addresses that are listed. */
const MAX_ADDRESSES = 1024;
/** Most pods that are listed of one address; the schema allows no more. */
const MAX_LISTED = 128;

/** Each anycast address with the pods of this node that serve it, and those that do not and why. */
function anycastStatus(facts: NodeFacts): KubeObject[] {
  const { anycast, advertised } = facts.view;
  const told = new Set(advertised);
  return [...Map.groupBy(anycast, ({ address }) => address.text)].slice(0, MAX_ADDRESSES).map((
    [address, decisions],
  ) => ({
    address,
    ...heardStatus(decisions.find(({ address }) => told.has(hostPrefix(address).text)), facts),
    pods: decisions.filter(({ serves }) => serves).map(({ owner }) => owner).slice(0, MAX_LISTED),
    waiting: decisions.flatMap((each) => each.serves ? [] : [{ pod: each.owner, reason: each.reason }]).slice(
      0,
      MAX_LISTED,
    ),
  }));
}

/** @param decision one of an address that the node has to tell; undefined: it has not, and each pod says why */
function heardStatus(decision: AnycastDecision | undefined, facts: NodeFacts): KubeObject {
  if (decision === undefined) return { advertised: false };
  const reason = unheardReason(decision.address.family, facts);
  return reason === undefined ? { advertised: true } : { advertised: false, reason };
}

function peerStatus({ peer, state, since, lastError }: SessionState): KubeObject {
  return { address: peer.text, state, ...(since && { since }), ...(lastError && { lastError }) };
}
