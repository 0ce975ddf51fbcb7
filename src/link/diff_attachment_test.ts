import { assertEquals } from "@std/assert";
import { parseAddress } from "../ip/address.ts";
import type { Attachment } from "./attachment_driver.ts";
import { diffHostEnd, diffPodEnd, diffSysctls, type KernelEnd } from "./diff_attachment.ts";
import { HOST_MAC } from "./host_mac.ts";
import { planSysctls } from "./plan_attachment.ts";
import type { KernelLink, KernelRoute } from "./read_kernel.ts";

const POD_MAC = "02:11:22:33:44:55";
const of = (...texts: string[]) => texts.flatMap((text) => parseAddress(text) ?? []);
const on = (length: number, ...texts: string[]) => of(...texts).map((each) => ({ ...each, length, lasting: true }));
const ALIAS = "c1 eth0 /run/netns/c1";
const WANTED: Attachment = {
  containerId: "c1",
  ifname: "eth0",
  netns: "/run/netns/c1",
  hostLink: "flock0a1b2c3d",
  podMac: POD_MAC,
  mtu: 9000,
  addresses: of("2001:db8:f::7", "203.0.113.7"),
};
const neighbor = (link: string, address: string, mac: string) => ({ link, address, mac, permanent: true });
const HOST: KernelEnd = {
  link: {
    name: "flock0a1b2c3d",
    mtu: 9000,
    mac: HOST_MAC,
    up: true,
    arp: true,
    alias: ALIAS,
    addresses: on(64, "fe80::1"),
  },
  routes: of("2001:db8:f::7", "203.0.113.7").map(({ text, family }) => ({
    link: "flock0a1b2c3d",
    family,
    destination: text,
    gateway: undefined,
    metric: 20,
    details: text.includes(":") ? [] : ["scope link"],
  })),
  neighbors: [neighbor("flock0a1b2c3d", "2001:db8:f::7", POD_MAC), neighbor("flock0a1b2c3d", "203.0.113.7", POD_MAC)],
};
const POD: KernelEnd = {
  link: {
    name: "eth0",
    mtu: 9000,
    mac: POD_MAC,
    up: true,
    arp: true,
    alias: "",
    addresses: on(128, "2001:db8:f::7", "203.0.113.7"),
  },
  routes: of("fe80::1", "169.254.1.1").map(({ text, family }) => ({
    link: "eth0",
    family,
    destination: "default",
    gateway: text,
    details: [],
  })),
  neighbors: [neighbor("eth0", "fe80::1", HOST_MAC), neighbor("eth0", "169.254.1.1", HOST_MAC)],
};

Deno.test("an end that is as it should be differs in nothing", () => {
  assertEquals([...diffHostEnd(WANTED, HOST), ...diffPodEnd(WANTED, POD)], []);
});

Deno.test("diffHostEnd() names each difference by itself", () => {
  const link = HOST.link;
  const differ = (change: Partial<KernelEnd>): string[] => diffHostEnd(WANTED, { ...HOST, ...change });
  assertEquals(differ({ link: undefined }), ["host link flock0a1b2c3d is missing"]);
  assertEquals(differ({ link: link && { ...link, up: false } }), ["link flock0a1b2c3d is down"]);
  assertEquals(differ({ link: link && { ...link, addresses: [] } }), ["address fe80::1 on flock0a1b2c3d is missing"]);
  assertEquals(differ({ link: link && { ...link, mac: POD_MAC } }), [
    `link flock0a1b2c3d has MAC ${POD_MAC} instead of ${HOST_MAC}`,
  ]);
  assertEquals(differ({ routes: HOST.routes.slice(1) }), ["host route 2001:db8:f::7 dev flock0a1b2c3d is missing"]);
  const outweighed = HOST.routes.map((route) => ({
    ...route,
    metric: route.destination === "203.0.113.7" ? 1024 : 20,
  }));
  assertEquals(differ({ routes: outweighed }), ["host route 203.0.113.7 dev flock0a1b2c3d is missing"]);
  const stolen = HOST.neighbors.map((entry) => ({ ...entry, permanent: entry.address !== "203.0.113.7" }));
  assertEquals(differ({ neighbors: stolen }), ["permanent neighbour 203.0.113.7 on flock0a1b2c3d is missing"]);
});

Deno.test("diffHostEnd() names a link that is in another place than it was put, or another's", () => {
  const differ = (change: Partial<KernelLink>): string[] =>
    diffHostEnd(WANTED, { ...HOST, link: HOST.link && { ...HOST.link, ...change } });
  assertEquals(differ({ master: "br9" }), ["link flock0a1b2c3d has the master br9"]);
  assertEquals(differ({ arp: false }), ["link flock0a1b2c3d has ARP off"]);
  assertEquals(differ({ alias: "" }), ['link flock0a1b2c3d has alias "", not its owner\'s']);
  assertEquals(differ({ alias: "c2 eth0 /run/netns/c1" }).length, 1);
  assertEquals(differ({ addresses: on(128, "fe80::1") }), ["address fe80::1 on flock0a1b2c3d has length 128"]);
  const fleeting = on(64, "fe80::1").map((each) => ({ ...each, lasting: false }));
  assertEquals(differ({ addresses: fleeting }), ["address fe80::1 on flock0a1b2c3d is not there for good"]);
});

Deno.test("diffHostEnd() names what a route says beside what flock's says", () => {
  const differ = (change: Partial<KernelRoute>): string[] => {
    const routes = HOST.routes.map((route) => route.destination.includes(":") ? route : { ...route, ...change });
    return diffHostEnd(WANTED, { ...HOST, routes });
  };
  const altered = "host route 203.0.113.7 dev flock0a1b2c3d was altered: ";
  assertEquals(differ({ gateway: "10.9.9.9", details: [] }), [`${altered}via 10.9.9.9`]);
  assertEquals(differ({ details: ["scope link", 'metrics [{"mtu":100}]'] }), [
    `${altered}scope link, metrics [{"mtu":100}]`,
  ]);
  assertEquals(differ({ details: [] }), [`${altered}another scope`]);
});

Deno.test("an adopted attachment, whose namespace is not known, keeps the alias that says as little", () => {
  const adopted = { ...WANTED, netns: "" };
  const link = HOST.link && { ...HOST.link, alias: "c1 eth0" };
  assertEquals(diffHostEnd(adopted, { ...HOST, link }), []);
});

Deno.test("diffPodEnd() names each difference by itself", () => {
  const link = POD.link;
  const differ = (change: Partial<KernelEnd>): string[] => diffPodEnd(WANTED, { ...POD, ...change });
  assertEquals(differ({ link: undefined }), ["interface eth0 in /run/netns/c1 is missing"]);
  assertEquals(differ({ link: link && { ...link, mtu: 1500 } }), ["link eth0 has MTU 1500 instead of 9000"]);
  assertEquals(differ({ link: link && { ...link, addresses: on(32, "203.0.113.7") } }), [
    "address 2001:db8:f::7 on eth0 is missing",
  ]);
  assertEquals(differ({ routes: POD.routes.slice(0, 1) }), ["default route via 169.254.1.1 dev eth0 is missing"]);
  assertEquals(differ({ neighbors: POD.neighbors.slice(1) }), ["permanent neighbour fe80::1 on eth0 is missing"]);
});

Deno.test("diffPodEnd() judges MTU and default routes by what the result of a chain reports", () => {
  const link = POD.link && { ...POD.link, mtu: 1400 };
  const changed = { ...POD, link, routes: POD.routes.slice(0, 1) };
  assertEquals(diffPodEnd(WANTED, changed).length, 2);
  const routes6 = new Map([[6, ["fe80::1"]]] as const);
  assertEquals(diffPodEnd(WANTED, changed, { mtu: 1400, defaultRoutes: routes6 }), []);
  assertEquals(diffPodEnd(WANTED, changed, { defaultRoutes: routes6 }), []);
  const both = new Map([[6, ["fe80::1"]], [4, ["169.254.1.1"]]] as const);
  assertEquals(diffPodEnd(WANTED, changed, { mtu: 9000, defaultRoutes: both }).length, 2);
});

Deno.test("diffPodEnd() takes a later plugin's default route, over any link, where the result names its gateway", () => {
  const [six = [], four = []] = [POD.routes.slice(0, 1), POD.routes.slice(1)];
  const moved = four.map((route) => ({ ...route, link: "net1", gateway: "192.0.2.1" }));
  const differ = (routes: KernelEnd["routes"], gateways: readonly string[]): string[] =>
    diffPodEnd(WANTED, { ...POD, routes }, { mtu: 9000, defaultRoutes: new Map([[4, gateways]]) });
  assertEquals(differ([...six, ...moved], ["192.0.2.1"]), []);
  assertEquals(differ([...six, ...moved], ["169.254.1.1", "192.0.2.1"]), []);
  assertEquals(differ([...six, ...moved], []), []);
  assertEquals(differ(six, []), ["default route of IPv4 is missing"]);
  assertEquals(differ([...six, ...four], ["192.0.2.1"]), ["default route via 192.0.2.1 is missing"]);
  const elsewhere = four.map((route) => ({ ...route, link: "net1" }));
  assertEquals(differ([...six, ...elsewhere], ["169.254.1.1"]), [
    "default route via 169.254.1.1 dev eth0 is missing",
  ]);
});

Deno.test("diffSysctls() names what has another value, and misses nothing that a link does not have", () => {
  const values = new Map(planSysctls(WANTED));
  const differ = () => diffSysctls(WANTED, (name) => values.get(name));
  assertEquals(differ(), []);
  values.set("ipv6/conf/flock0a1b2c3d/accept_ra", "1");
  values.delete("ipv4/conf/flock0a1b2c3d/rp_filter");
  assertEquals(differ(), ["sysctl ipv6/conf/flock0a1b2c3d/accept_ra is 1 instead of 0"]);
});
