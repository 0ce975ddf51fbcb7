import { GUARD_FAMILIES, GUARD_SETS, type GuardFamily, type GuardModel, type GuardSet } from "./guard_model.ts";

const SET_TYPES: Readonly<Record<GuardSet, string>> = {
  own4: "type ifname . ipv4_addr;",
  own6: "type ifname . ipv6_addr;",
  pods4: "type ipv4_addr; flags interval;",
  pods6: "type ipv6_addr; flags interval;",
};

/**
 * No rule mentions `ct`: a single one turns connection tracking on for the whole network namespace.
 *
 * prerouting hooks before conntrack (-200), so that a spoofed packet costs no entry. What most traffic is, no ICMP and
 * from a pod's own address, is through after three rules and without a jump, since each costs every packet of every pod.
 * ICMP takes the longer way: RA and redirects are dropped from a pod's own addresses too. IPv4 and IPv6 fragments all
 * carry the source; RA and redirects in fragments are refused by the kernel itself (RFC 6980) or show their type in the
 * first one.
 *
 * A stock pod sends nothing from a link-local address, its neighbours being permanent. A VM that has flushed them asks for
 * fe80::1 from its own link-local address, or from :: for DAD. Each such sender becomes an entry of the node's neighbour
 * table, which a pod could fill up with made-up senders: hence the limit per link. RS and MLD reports end there too: the
 * node sends no RA to pods and routes no multicast, so nobody waits for them.
 *
 * node_port sees packets after kube-proxy's DNAT and before any SNAT. An IPv6 fragment cannot hide its port: the kernel
 * drops a first fragment that ends before the upper-layer header does (RFC 8200).
 */
const INET_CHAINS = `\
	chain prerouting {
		type filter hook prerouting priority -310; policy accept;
		iifname != "flock*" accept
		meta l4proto != icmpv6 iifname . ip6 saddr @own6 accept
		meta l4proto != icmp iifname . ip saddr @own4 accept
		goto from_pod
	}
	chain from_pod {
		icmp type redirect counter name "icmp_redirect" drop
		icmpv6 type nd-redirect counter name "icmp_redirect" drop
		icmpv6 type nd-router-advert counter name "router_advert" drop
		iifname . ip saddr @own4 accept
		iifname . ip6 saddr @own6 accept
		ip6 saddr { ::, fe80::/10 } jump from_link_local
		meta nfproto ipv4 counter name "spoofed4" drop
		counter name "spoofed6" drop
	}
	chain from_link_local {
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 update @neighbor_rate { iifname limit rate 5/second burst 20 packets } accept
		counter name "link_local" drop
	}
	chain input {
		type filter hook input priority -10; policy accept;
		iifname "flock*" jump node_port
		ip saddr @pods4 jump node_port
		ip6 saddr @pods6 jump node_port
	}
	chain node_port {
		tcp dport 179 counter name "node_bgp" drop
		udp dport { 3784, 3785, 4784 } counter name "node_bfd" drop
	}
`;

/**
 * Both ends' neighbour entries are permanent, so there is nothing to poison. But the node makes an entry of every other sender
 * that asks it for 169.254.1.1: one pod with made-up senders would fill the table that all IPv4 of the node shares (gc_thresh3
 * in arp(7), 1024 entries), and the node would reach nobody new. A pod that has flushed its neighbours asks from an address of
 * its own. A probe, whose sender is 0.0.0.0 (RFC 5227, 2.1.1), is answered but not entered.
 */
const ARP_CHAINS = `\
	chain input {
		type filter hook input priority 0; policy accept;
		iifname "flock*" jump from_pod
	}
	chain from_pod {
		iifname . arp saddr ip @own4 accept
		arp saddr ip 0.0.0.0 accept
		counter name "spoofed_arp" drop
	}
`;

const COUNTERS = ["icmp_redirect", "router_advert", "spoofed4", "spoofed6", "link_local", "node_bgp", "node_bfd"];

/** What a table holds besides the sets that flock fills. */
const TABLES: Readonly<Record<GuardFamily, { readonly objects: readonly string[]; readonly chains: string }>> = {
  inet: {
    objects: [
      "set neighbor_rate { type ifname; flags dynamic; timeout 10s; }",
      ...COUNTERS.map((counter) => `counter ${counter} { }`),
    ],
    chains: INET_CHAINS,
  },
  arp: { objects: ["counter spoofed_arp { }"], chains: ARP_CHAINS },
};

/**
 * Both tables as nft reads them, one transaction that takes the place of whatever tables there were: packets see the old ones
 * or the new ones. Drops are counted by kind; counters start at zero again.
 */
export function renderGuard(model: GuardModel): string {
  return GUARD_FAMILIES.map((family) => renderTable(family, model)).join("");
}

function renderTable(family: GuardFamily, model: GuardModel): string {
  const sets = GUARD_SETS.filter((each) => each.family === family).map(({ set }) => renderSet(set, model[set]));
  const { objects, chains } = TABLES[family];
  return [
    `table ${family} flock`,
    `delete table ${family} flock`,
    `table ${family} flock {`,
    ...[...sets, ...objects].map((line) => `\t${line}`),
    `${chains}}`,
    "",
  ].join("\n");
}

function renderSet(set: GuardSet, elements: readonly string[]): string {
  const list = elements.length === 0 ? "" : ` elements = { ${elements.join(", ")} }`;
  return `set ${set} { ${SET_TYPES[set]}${list} }`;
}

/** What becomes of one element of a set, in every family that has the set. */
export interface SetChange {
  readonly set: GuardSet;
  readonly element: string;
  readonly present: boolean;
}

/**
 * One line, so one transaction. nft refuses to delete what is missing and lets pass what is added twice: so what has to go is
 * added first.
 *
 * @param changes at most one for each element
 */
export function renderChanges(changes: readonly SetChange[]): string {
  const command = (verb: "add" | "delete", list: readonly SetChange[]): string[] =>
    GUARD_SETS.flatMap(({ family, set }) => {
      const elements = list.filter((change) => change.set === set).map((change) => change.element);
      return elements.length === 0 ? [] : [`${verb} element ${family} flock ${set} { ${elements.join(", ")} }`];
    });
  return [...command("add", changes), ...command("delete", changes.filter((c) => !c.present))].join("; ");
}
