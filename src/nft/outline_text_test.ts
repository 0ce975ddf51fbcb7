import { assertEquals } from "@std/assert";
import { outlineList } from "./outline_list.ts";
import { outlineText } from "./outline_text.ts";
import { diffOutlines } from "./table_outline.ts";

const TEXT = `table inet t
delete table inet t
table inet t {
	map pods { type ifname : verdict; elements = { "flock0a0b0c0d" : goto to_pod } }
	set ports { typeof ip daddr . tcp dport; elements = { 192.0.2.7 . 8080, 192.0.2.8 . 80 } }
	set peers { type ipv6_addr; elements = { 2001:db8::7 } }
	set none { type ipv6_addr; }
	counter to_pod { }
	chain in_a { ip saddr @peers tcp dport { 80, 8000-8100 } accept; accept; }
	chain empty { }
	chain ingress {
		type filter hook postrouting priority 99; policy accept;
		iif 0 accept
		oifname vmap @pods
	}
}
`;

/** As nft 1.0.6 lists it. */
const LISTED = {
  nftables: [
    { metainfo: { version: "1.0.6" } },
    { table: { family: "inet", name: "t", handle: 1 } },
    { map: { name: "pods", map: "verdict", elem: [["flock0a0b0c0d", { goto: { target: "to_pod" } }]] } },
    { set: { name: "ports", elem: [{ concat: ["192.0.2.8", 80] }, { concat: ["192.0.2.7", 8080] }] } },
    { set: { name: "peers", elem: ["2001:db8::7"] } },
    { set: { name: "none" } },
    { counter: { name: "to_pod", handle: 3, packets: 7, bytes: 9 } },
    { chain: { name: "in_a", handle: 4 } },
    { chain: { name: "empty", handle: 5 } },
    { chain: { name: "ingress", type: "filter", hook: "postrouting", prio: 99, policy: "accept" } },
    ...["in_a", "in_a", "ingress", "ingress"].map((chain) => ({ rule: { chain, expr: [{ accept: null }] } })),
  ],
};

Deno.test("outlineText() sees in a table's text what outlineList() sees in nft's list of it", () => {
  const outline = outlineText(TEXT);
  assertEquals(outline, outlineList(JSON.stringify(LISTED)));
  assertEquals(outline.chains.get("ingress"), "filter postrouting 99 accept, 2 rules");
  assertEquals([...outline.sets.get("pods") ?? []], ["flock0a0b0c0d : goto to_pod"]);
});

Deno.test("diffOutlines() names each thing that is missing, foreign or changed", () => {
  const found = outlineText(
    TEXT.replace("iif 0 accept", "").replace("priority 99", "priority 98").replace("chain empty", "chain other"),
  );
  assertEquals(diffOutlines(found, outlineText(TEXT)), [
    "chain empty is missing",
    "chain other is not ours",
    "chain ingress is (filter postrouting 98 accept, 1 rules) instead of (filter postrouting 99 accept, 2 rules)",
  ]);
  assertEquals(
    diffOutlines(
      outlineText("table inet t { }"),
      outlineText("table inet t { set s { type ifname; elements = { x } } }"),
    ),
    [
      "set s is missing",
    ],
  );
});
