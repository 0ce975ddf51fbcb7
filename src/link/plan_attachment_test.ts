import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../ip/address.ts";
import type { Attachment } from "./attachment_driver.ts";
import { parseAlias, renderAlias } from "./link_alias.ts";
import { checkWords, planHostEnd, planPodEnd, planPodRepair, planSysctls } from "./plan_attachment.ts";

const DUAL: Attachment = {
  containerId: "0123abcd",
  ifname: "eth0",
  netns: "/run/netns/cni-1",
  hostLink: "flock0a1b2c3d",
  podMac: "02:11:22:33:44:55",
  mtu: 9000,
  addresses: ["2001:db8:f::7", "203.0.113.7"].flatMap((text) => parseAddress(text) ?? []),
};
const IPV4_ONLY: Attachment = { ...DUAL, addresses: DUAL.addresses.filter(({ family }) => family === 4) };

Deno.test("planHostEnd() sets up the host's end with own routes and permanent neighbours", () => {
  assertEquals(planHostEnd(DUAL), [
    'link set dev flock0a1b2c3d addrgenmode none alias "0123abcd eth0 /run/netns/cni-1"',
    "link set dev flock0a1b2c3d up",
    "address replace fe80::1/64 dev flock0a1b2c3d nodad",
    "route replace 2001:db8:f::7/128 dev flock0a1b2c3d proto 70 metric 20",
    "neigh replace 2001:db8:f::7 lladdr 02:11:22:33:44:55 dev flock0a1b2c3d nud permanent",
    "route replace 203.0.113.7/32 dev flock0a1b2c3d proto 70 metric 20",
    "neigh replace 203.0.113.7 lladdr 02:11:22:33:44:55 dev flock0a1b2c3d nud permanent",
  ]);
});

Deno.test("planPodEnd() guards, makes both ends in place, and waits for no duplicates", () => {
  assertEquals(planPodEnd(DUAL, 42), [
    "link property add dev lo altname flock-node",
    "link property del dev lo altname flock-node",
    "link add dev eth0 mtu 9000 address 02:11:22:33:44:55 type veth peer name flock0a1b2c3d mtu 9000 " +
    "address 02:66:6c:6f:63:6b netns 42",
    "link set dev eth0 addrgenmode none",
    "link set dev eth0 up",
    "address replace fe80::11:22ff:fe33:4455/64 dev eth0 nodad",
    "address replace 2001:db8:f::7/128 dev eth0 nodad",
    "address replace 203.0.113.7/32 dev eth0",
    "neigh replace fe80::1 lladdr 02:66:6c:6f:63:6b dev eth0 nud permanent",
    "route replace ::/0 via fe80::1 dev eth0",
    "neigh replace 169.254.1.1 lladdr 02:66:6c:6f:63:6b dev eth0 nud permanent",
    "route replace 0.0.0.0/0 via 169.254.1.1 dev eth0 onlink",
  ]);
});

Deno.test("planPodEnd() deprecates secondary IPv6 addresses, and puts anycast ones on lo", () => {
  const more = ["2001:db8:f::8", "203.0.113.8"].flatMap((text) => parseAddress(text) ?? []);
  const anycast = ["2001:db8:53::1", "192.0.2.53"].flatMap((text) => parseAddress(text) ?? []);
  const lines = planPodEnd({ ...DUAL, addresses: [...DUAL.addresses, ...more], anycast }, 42);
  assertEquals(lines.filter((line) => /^address|dev lo up/.test(line)).slice(1), [
    "address replace 2001:db8:f::7/128 dev eth0 nodad",
    "address replace 203.0.113.7/32 dev eth0",
    "address replace 2001:db8:f::8/128 dev eth0 nodad preferred_lft 0",
    "address replace 203.0.113.8/32 dev eth0",
    "link set dev lo up",
    "address replace 2001:db8:53::1/128 dev lo nodad",
    "address replace 192.0.2.53/32 dev lo",
  ]);
  assertEquals(lines.filter((line) => line.startsWith("route")).length, 2);
});

Deno.test("planPodRepair() guards, and leaves a default route alone that is not asked for", () => {
  const lines = planPodRepair(DUAL, [6]);
  assertEquals(lines.filter((line) => line.startsWith("route")), ["route replace ::/0 via fe80::1 dev eth0"]);
  assertEquals(lines.filter((line) => line.startsWith("link")), [
    ...["link property add dev lo altname flock-node", "link property del dev lo altname flock-node"],
    "link set dev eth0 up",
  ]);
});

Deno.test("a pod without IPv6 has none on either end", () => {
  const lines = [...planHostEnd(IPV4_ONLY), ...planPodEnd(IPV4_ONLY, 42)];
  assertEquals(lines.filter((line) => line.includes("fe80")), []);
  const sysctls = new Map(planSysctls(IPV4_ONLY));
  assertEquals(sysctls.get("ipv6/conf/flock0a1b2c3d/disable_ipv6"), "1");
  assertEquals(sysctls.get("ipv4/conf/flock0a1b2c3d/forwarding"), "1");
  const dual = new Map(planSysctls(DUAL));
  assertEquals(["accept_ra", "disable_ipv6", "forwarding"].map((name) => dual.get(`ipv6/conf/flock0a1b2c3d/${name}`)), [
    ...["0", "0", "1"],
  ]);
});

const HOSTILE = [
  "a b",
  "a\nb",
  "-x",
  "a;b",
  "$(id)",
  "`id`",
  '"',
  "'",
  "\\",
  "#",
  "\0",
  "\u2028",
  "../x",
  "",
  "a".repeat(300),
];

for (const field of ["containerId", "ifname", "netns", "hostLink", "podMac"] as const) {
  Deno.test(`checkWords() refuses whatever is not one plain word as ${field}`, () => {
    for (const value of HOSTILE) assertThrows(() => checkWords({ ...DUAL, [field]: value }), Error, field);
  });
}

Deno.test("checkWords() lets through only what gives lines of harmless characters", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.constantFrom(...HOSTILE, "eth0", "/run/netns/x", "c1"),
  );
  fc.assert(fc.property(text, text, text, (containerId, ifname, netns) => {
    const attachment = { ...DUAL, containerId, ifname, netns };
    try {
      checkWords(attachment);
    } catch {
      return;
    }
    for (const line of [...planHostEnd(attachment), ...planPodEnd(attachment, 1)]) {
      assertEquals(/^[a-z]+ [\w ./:"@+-]+$/.test(line), true, line);
    }
  }));
});

Deno.test("checkWords() refuses an address that is not canonical, and an MTU that is no number", () => {
  const address = { family: 4, value: 1n, text: "1.2.3.4; reboot" } as const;
  assertThrows(() => checkWords({ ...DUAL, addresses: [address] }), Error, "address");
  assertThrows(() => checkWords({ ...DUAL, mtu: NaN }), Error, "MTU");
});

Deno.test("the alias of a link says whose it is, also where the namespace does not fit", () => {
  assertEquals(parseAlias(renderAlias(DUAL)), { containerId: "0123abcd", ifname: "eth0", netns: "/run/netns/cni-1" });
  const whole = { containerId: "c1", ifname: "eth0", netns: "/run/netns/c1", netnsId: "4:7:99", network: "flock" };
  assertEquals(renderAlias(whole), "c1 eth0 /run/netns/c1 4:7:99 flock");
  const { netnsId: _id, ...unidentified } = whole;
  const { network: _network, ...withoutNetwork } = whole;
  for (const owner of [whole, unidentified]) assertEquals(parseAlias(renderAlias(owner)), owner);
  const long = { ...DUAL, containerId: "c".repeat(128), netns: `/run/netns/${"n".repeat(200)}` };
  assertEquals(renderAlias(long).length <= 255, true);
  assertEquals(parseAlias(renderAlias(long)), { containerId: long.containerId, ifname: "eth0" });
  assertEquals(parseAlias(renderAlias({ ...whole, network: "n".repeat(250) })), withoutNetwork);
  for (const foreign of ["", "cali1234", "a b c d", "one two relative", "c1 eth0 /n 4:7 flock more"]) {
    assertEquals(parseAlias(foreign), undefined);
  }
});
