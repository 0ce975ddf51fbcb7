import { assertEquals } from "@std/assert";
import { parseAddress } from "../ip/address.ts";
import type { Attachment } from "./attachment_driver.ts";
import { diffHostEnd, diffPodEnd, diffSysctls, type KernelEnd } from "./diff_attachment.ts";
import { HOST_MAC } from "./host_mac.ts";
import { planSysctls } from "./plan_attachment.ts";

const POD_MAC = "02:11:22:33:44:55";
const of = (...texts: string[]) => texts.flatMap((text) => parseAddress(text) ?? []);
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
  link: { name: "flock0a1b2c3d", mtu: 9000, mac: HOST_MAC, up: true, alias: "", addresses: of("fe80::1") },
  routes: of("2001:db8:f::7", "203.0.113.7").map(({ text, family }) => ({
    link: "flock0a1b2c3d",
    family,
    destination: text,
    gateway: undefined,
    metric: 20,
  })),
  neighbors: [neighbor("flock0a1b2c3d", "2001:db8:f::7", POD_MAC), neighbor("flock0a1b2c3d", "203.0.113.7", POD_MAC)],
};
const POD: KernelEnd = {
  link: { name: "eth0", mtu: 9000, mac: POD_MAC, up: true, alias: "", addresses: WANTED.addresses },
  routes: of("fe80::1", "169.254.1.1").map(({ text, family }) => ({
    link: "eth0",
    family,
    destination: "default",
    gateway: text,
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

Deno.test("diffPodEnd() names each difference by itself", () => {
  const link = POD.link;
  const differ = (change: Partial<KernelEnd>): string[] => diffPodEnd(WANTED, { ...POD, ...change });
  assertEquals(differ({ link: undefined }), ["interface eth0 in /run/netns/c1 is missing"]);
  assertEquals(differ({ link: link && { ...link, mtu: 1500 } }), ["link eth0 has MTU 1500 instead of 9000"]);
  assertEquals(differ({ link: link && { ...link, addresses: of("203.0.113.7") } }), [
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
