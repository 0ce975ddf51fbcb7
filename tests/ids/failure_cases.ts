import type { Case } from "./case.ts";

/** State, links, runtime, API client and packet filter under faults. */
const RELIABILITY: readonly Case[] = [
  { id: "T-REL-01", asks: "agent restarts amid churn while the API is frozen: no address twice" },
  {
    id: "T-REL-02",
    asks: "agent killed at every step of a call: nothing leaks, nothing doubles",
    decided: "every step on the kernel in memory, where a step can be named; a real agent is killed at random moments",
  },
  { id: "T-REL-03", asks: "DEL, restart, ADD: another address" },
  {
    id: "T-REL-04",
    asks: "start with a CRI that hangs or lists nothing: no live allocation erased",
  },
  { id: "T-REL-05", asks: "DEL while the agent is away: freed once it is back" },
  { id: "T-REL-06", asks: "API black-holed: DEL under 1 s" },
  {
    id: "T-REL-07",
    asks: "ADD delayed in the agent, plugin killed, DEL: nothing is left; an ADD after the answered DEL succeeds",
  },
  { id: "T-REL-08", asks: "state file empty, NULs, half JSON, null, [], BOM, 200 MB: set aside, rebuilt" },
  { id: "T-REL-09", asks: "state file deleted while pods run: no address twice" },
  { id: "T-REL-10", asks: "leftover lock, socket and temporary files: the agent starts" },
  { id: "T-REL-11", asks: "state file of another node: set aside, not used" },
  { id: "T-REL-12", asks: "pod whose status lists one family only: its other address stays" },
  {
    id: "T-REL-13",
    asks: "collector's verdict overtaken by a new ADD: nothing freed",
    decided: "with the agent's own parts: from outside no ADD can be put between the verdict and what follows it",
  },
  { id: "T-REL-14", asks: "second ADD of a container fails late: the first pod still works" },
  { id: "T-REL-15", asks: "state directory full: ADD fails, DEL works, all well when there is space again" },
  { id: "T-REL-16", asks: "another boot: the pool is empty" },
  { id: "T-REL-17", asks: "containers killed behind flock's back: freed after the grace period" },
  { id: "T-REL-18", asks: "a freed address rests; policy sets bear the overlap" },
  { id: "T-REL-19", asks: "DEL of one container leaves another of the same pod alone" },
  { id: "T-REL-20", asks: "no DEL ever, network namespace gone: collected" },
  {
    id: "T-REL-21",
    asks: "agent stalled for 250 s: the plugin answers 11 before kubelet gives up",
    decided: "with the plugin's clock moved by hand; `task soak` stalls a real agent for 250 s",
  },
  {
    id: "T-REL-22",
    asks: "StatefulSet deleted and recreated 200 times",
    decided: "asked of the real agent over its socket, as the plugin does: 400 more processes would prove no more",
  },
  { id: "T-REL-23", asks: "another node's NodeConfig overlaps: rejected, Event, no ADD from it" },
  { id: "T-REL-24", asks: "CIDR edited under live pods: they keep theirs, new ones get new" },
  { id: "T-REL-25", asks: "two containers of one pod, DEL of the first: the second lives" },
  { id: "T-REL-26", asks: "stale veth, route or rule in the way: ADD works, the stale one goes" },
  { id: "T-REL-27", asks: "MAC of a host end changed by somebody else: never, or put back" },
  { id: "T-REL-28", asks: "each link, route, address and nft object removed singly: put back" },
  { id: "T-REL-29", asks: "the first packet after ADD passes, both ways" },
  { id: "T-REL-30", asks: "an IPv6 bind right after ADD works" },
  { id: "T-REL-31", asks: "a node without a default route" },
  { id: "T-REL-32", asks: "arp_ignore=1 and arp_announce=2 on the node" },
  { id: "T-REL-33", asks: "ADD and GC while links come and go: nothing falsely missing" },
  { id: "T-REL-34", asks: "the agent holds no namespace and spreads no mount" },
  { id: "T-REL-35", asks: "node CIDRs have blackhole routes before BGP is up and for free addresses" },
  { id: "T-REL-36", asks: "ARP for the pod's own address, from the pod: no reply" },
  {
    id: "T-REL-37",
    asks: "a rolling update on a full node: the conflist stays",
    decided: "full is the address pool, and the update is the agent's: SIGTERM, a DEL meanwhile, the next agent",
  },
  {
    id: "T-REL-38",
    asks: "a foreign default conflist is there: documented precedence",
    decided: "runtimes take the first name: 01-flock.conflist once the agent can serve, until then the foreign one",
  },
  { id: "T-REL-39", asks: "install while plugins run, installer killed at each step" },
  { id: "T-REL-40", asks: "the conflist comes by one rename, never half written" },
  { id: "T-REL-41", asks: "the runtime's result cache is cut short, no DEL comes: collected" },
  { id: "T-REL-42", asks: "containerd restarts under live pods: CHECK and GC still right" },
  { id: "T-REL-43", asks: "the plugin has no credentials, nor has the conflist's directory" },
  {
    id: "T-REL-44",
    asks: "an agent that never answers: code 11 in time, no orphan",
    decided:
      "CHECK and DEL as processes, 30 s each; ADD's 90 s with the plugin's clock moved by hand, on the same path",
  },
  { id: "T-REL-45", asks: "ADD before the agent listens: it waits" },
  { id: "T-REL-46", asks: "110 ADDs at once in 200 MiB and half a CPU: all succeed" },
  {
    id: "T-REL-47",
    asks: "10 000 pairs: descriptors, memory and zombies as before",
    decided:
      "pair 1000 against pair 300 here, with a bound on what a pair may cost; 10 000 against 1000 in `task bench`",
  },
  { id: "T-REL-48", asks: "a static pod; a recreated pod of the same name gets its own annotations" },
  { id: "T-REL-49", asks: "names of 63 and 253 characters in nft comments" },
  { id: "T-REL-50", asks: "tables by a newer nft on the node: ours still works", pending: "NetworkPolicy" },
  { id: "T-REL-51", asks: "nft flush ruleset: back within 2 s, no crash" },
  { id: "T-REL-52", asks: "foreign tables of every kind: untouched, and no obstacle" },
  { id: "T-REL-53", asks: "50 000 elements in one transaction" },
  { id: "T-REL-54", asks: "a set corrupted by hand is put right" },
];

const BGP: readonly Case[] = [
  {
    id: "T-BGP-01",
    asks: "BIRD restarted twice in 20 s: what the neighbour sees is documented",
    pending: "BGP operations",
  },
  { id: "T-BGP-02", asks: "a planned stop of BIRD: the neighbour keeps its routes", pending: "BGP operations" },
  { id: "T-BGP-03", asks: "BIRD killed in any way: the pods' kernel routes stay", pending: "BGP operations" },
  { id: "T-BGP-04", asks: "rendered twice, the same bytes; unrelated pod events never reload" },
  { id: "T-BGP-05", asks: "withdrawn within 1 s of deletionTimestamp" },
  {
    id: "T-BGP-06",
    asks: "two pods with one anycast address on a node: remove one, then the other",
  },
  {
    id: "T-BGP-07",
    asks: "a day of flaps: what the router has is what is desired at each sample",
    decided: "a day of an injected clock, on a BIRD in memory",
  },
  { id: "T-BGP-08", asks: "the first packet after the neighbour has the route is answered" },
  { id: "T-BGP-09", asks: "an upgrade keeps routes, a drain or shutdown withdraws them", pending: "BGP operations" },
  { id: "T-BGP-10", asks: "API outage: the last known state; kubelet stopped: documented" },
  { id: "T-BGP-11", asks: "replies by another path than requests" },
];

const API_CLIENT: readonly Case[] = [
  {
    id: "T-API-01",
    asks: "API server black-holed for ten minutes: no flap, ADD works for known pods, DEL works",
    decided:
      "ten minutes of an injected clock; a real server, kernel and router for as long as the calls take, and for ten minutes in `task soak`",
  },
  { id: "T-API-02", asks: "converged within 30 s of its return, without a restart" },
  { id: "T-API-03", asks: "token rotated under us" },
  { id: "T-API-04", asks: "a list's continue token expired (410)" },
];

const SECURITY: readonly Case[] = [
  { id: "T-SEC-01", asks: "every field fuzzed: only harmless words reach ip, nft and BIRD" },
  { id: "T-SEC-02", asks: "addresses in odd forms, leading zeros among them: refused" },
  { id: "T-SEC-03", asks: "path traversal by hostile IDs: nothing outside changes" },
  {
    id: "T-SEC-04",
    asks: "1000 hostile objects: nft and BIRD accept what is rendered",
    decided: "nft; what reaches BIRD is T-SEC-01's",
  },
  { id: "T-SEC-10", asks: "spoofed sources never reach anybody" },
  { id: "T-SEC-11", asks: "router advertisements from a pod change nothing" },
  { id: "T-SEC-12", asks: "redirects from a pod are ignored" },
  { id: "T-SEC-13", asks: "gratuitous ARP and NA change no table" },
  { id: "T-SEC-14", asks: "TCP 179 from a pod is dropped" },
  { id: "T-SEC-15", asks: "an ungranted anycast address on lo: replies dropped, no route" },
  { id: "T-SEC-16", asks: "after DEL the source grant is gone before the address can be reused" },
  {
    id: "T-SEC-20",
    asks: "claims on addresses without a grant: never advertised, or withdrawn within 1 s",
    pending: "grants",
  },
  { id: "T-SEC-30", asks: "owners and modes of every file; planted symlinks are refused" },
  { id: "T-SEC-31", asks: "100 installs at once with 1000 VERSION calls" },
  { id: "T-SEC-40", asks: "the manifest grants no verb outside the list" },
  { id: "T-SEC-41", asks: "what the service account may do, as the API server says it" },
  { id: "T-SEC-50", asks: "unix sockets and permissions across Deno versions" },
];

/** What broke other CNIs, each turned into a case. */
export const FAILURE_CASES: readonly Case[] = [...RELIABILITY, ...BGP, ...API_CLIENT, ...SECURITY];
