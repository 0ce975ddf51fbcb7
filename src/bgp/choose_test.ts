import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { contains } from "../ip/address.ts";
import { chooseLocalAddress, type NodeAddress } from "./choose_local_address.ts";
import { chooseRouterId, type RouterIdSources } from "./choose_router_id.ts";
import { ip, prefix } from "./testdata/cases.ts";

function own(text: string, length: number, rest: Partial<NodeAddress> = {}): NodeAddress {
  return { address: ip(text), length, permanent: true, scope: "global", ...rest };
}

Deno.test("chooseLocalAddress() takes the lowest permanent address on the peer's subnet", () => {
  const addresses = [
    own("192.0.2.5", 24, { permanent: false }),
    own("192.0.2.100", 24),
    own("192.0.2.20", 24),
    own("10.0.0.1", 8),
  ];
  assertEquals(chooseLocalAddress(addresses, ip("192.0.2.1"))?.text, "192.0.2.20");
});

Deno.test("chooseLocalAddress() goes by the interface's real prefix length", () => {
  assertEquals(chooseLocalAddress([own("192.0.2.20", 28)], ip("192.0.2.1")), undefined);
  assertEquals(chooseLocalAddress([own("2001:db8::10", 127)], ip("2001:db8::11"))?.text, "2001:db8::10");
  assertEquals(chooseLocalAddress([own("2001:db8::10", 128)], ip("2001:db8::11")), undefined);
});

Deno.test("chooseLocalAddress() never takes the peer's own address or one of link scope", () => {
  const addresses = [own("192.0.2.1", 24), own("192.0.2.9", 24, { scope: "link" })];
  assertEquals(chooseLocalAddress(addresses, ip("192.0.2.1")), undefined);
});

const NODE: RouterIdSources = {
  peers: [ip("2001:db8::1"), ip("192.0.2.1")],
  addresses: [own("10.0.0.1", 8), own("192.0.2.10", 24), own("2001:db8::a", 64)],
  nodeName: "node-a",
};

Deno.test("chooseRouterId() prefers the configured id, then the address towards a peer, then the lowest", () => {
  assertEquals(chooseRouterId({ ...NODE, configured: ip("9.9.9.9") }).text, "9.9.9.9");
  assertEquals(chooseRouterId(NODE).text, "192.0.2.10");
  assertEquals(chooseRouterId({ ...NODE, peers: [] }).text, "10.0.0.1");
});

Deno.test("chooseRouterId() takes a leased address only when there is no permanent one", () => {
  const leased = own("10.0.0.1", 8, { permanent: false });
  assertEquals(chooseRouterId({ ...NODE, peers: [], addresses: [leased, own("192.0.2.10", 24)] }).text, "192.0.2.10");
  assertEquals(chooseRouterId({ ...NODE, peers: [], addresses: [leased] }).text, "10.0.0.1");
});

Deno.test("chooseRouterId() makes a stable id of the name where there is no IPv4, one that every router takes", () => {
  const addresses = [own("2001:db8::a", 64)];
  const idOf = (nodeName: string): ReturnType<typeof ip> => chooseRouterId({ ...NODE, addresses, nodeName });
  assertEquals(idOf("node-a"), idOf("node-a"));
  assertNotEquals(idOf("node-a").text, idOf("node-b").text);
  const refusedByRouters = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3"].map(prefix);
  const ids = Array.from({ length: 2000 }, (_, i) => idOf(`node-${i}`));
  assert(ids.every((id) => id.family === 4 && !refusedByRouters.some((range) => contains(range, id))));
  assert(new Set(ids.map(({ text }) => text)).size > 1990);
});
