import { assertEquals, assertThrows } from "@std/assert";
import type { HostNetwork } from "./host_driver.ts";
import { parseNetwork } from "./read_network.ts";
import node from "./testdata/node.json" with { type: "json" };

/** What iproute2 6.1 printed on a node with two uplinks and a pod. */
const NODE = parseNetwork(node.links, node.routes);
const NO_ROUTES = { 4: [], 6: [] };

function showAddresses({ addresses }: HostNetwork): string[] {
  return addresses.map(({ address, length, link, permanent, scope }) =>
    `${address.text}/${length} ${link} ${scope} ${permanent ? "permanent" : "passing"}`
  );
}

Deno.test("parseNetwork() tells lasting addresses from those with a lifetime, deprecated or tentative ones", () => {
  assertEquals(showAddresses(NODE), [
    "198.51.100.80/32 lo global permanent",
    "192.0.2.5/27 up0 global permanent",
    "192.0.2.6/27 up0 global permanent",
    "192.0.2.7/27 up0 global passing",
    "2001:db8:1::8/128 up0 global passing",
    "2001:db8:1::7/64 up0 global passing",
    "2001:db8:1::6/64 up0 global passing",
    "2001:db8:1::5/56 up0 global permanent",
    "fe80::ff:fe00:0/64 up0 link passing",
    "10.1.1.1/31 up1 global permanent",
    "2001:db8:1::9/64 up1 global passing",
  ]);
});

Deno.test("parseNetwork() takes an address that lost DAD, or that the kernel makes and drops, for a passing one", () => {
  for (const mark of ["dadfailed", "temporary"]) {
    const info = { local: "2001:db8::1", prefixlen: 64, scope: "global", [mark]: true };
    const network = parseNetwork([{ ifname: "up0", mtu: 1500, addr_info: [info] }], NO_ROUTES);
    assertEquals(showAddresses(network), ["2001:db8::1/64 up0 global passing"], mark);
  }
});

Deno.test("parseNetwork() leaves pods' links out, and links with similar names in", () => {
  assertEquals([...NODE.mtus.keys()], ["lo", "up0", "up1"]);
  const names = ["flock0badcafe", "flock0", "flock0badcafe0", "myflock0badcafe"];
  const { mtus } = parseNetwork(names.map((ifname) => ({ ifname, mtu: 1500, addr_info: [] })), NO_ROUTES);
  assertEquals([...mtus.keys()], names.slice(1));
});

Deno.test("parseNetwork() lists every link of a multipath default route, and those that lead nowhere never", () => {
  assertEquals(NODE.defaultRoutes, [
    { family: 6, link: "up0", fromRouterAdvertisement: true },
    { family: 6, link: "up1", fromRouterAdvertisement: true },
    { family: 6, link: "up0", fromRouterAdvertisement: false },
    { family: 4, link: "up0", fromRouterAdvertisement: false },
    { family: 4, link: "up1", fromRouterAdvertisement: false },
    { family: 4, link: "up1", fromRouterAdvertisement: false },
  ]);
});

Deno.test("parseNetwork() of a node without any network is empty", () => {
  assertEquals(parseNetwork([], NO_ROUTES), { addresses: [], defaultRoutes: [], mtus: new Map() });
});

Deno.test("parseNetwork() refuses what is no list", () => {
  assertThrows(() => parseNetwork({}, NO_ROUTES), Error, "Cannot read what ip printed: it is no list");
});
