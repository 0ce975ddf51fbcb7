import { assert, assertEquals } from "@std/assert";
import { ANYCAST, EXPECTED, LINK, LIVE } from "./_well.ts";
import { ALL_SERVICES, describeServices, heardOf, isService, servedBy, servicesOf } from "./services.ts";

Deno.test("servicesOf() gives every third pod addresses of both families, all of them in turn, and one of the steady", () => {
  const given = Array.from({ length: 9 }, (_, n) => servicesOf(`pod-${n}`));
  assertEquals(given.map((addresses) => addresses.length), [2, 0, 0, 2, 0, 0, 2, 0, 0]);
  assertEquals(given.flat().sort(), [...ALL_SERVICES].sort());
  assertEquals(["steady-1-0", "steady-1-1"].map((name) => servicesOf(name).length), [2, 0]);
  assert(given.flat().every(isService));
});

Deno.test("describeServices() leads to all Ready pods of this node by their own addresses, and to no other", () => {
  const other = { ...LIVE, id: "b".repeat(64), addresses: ["198.18.0.9", "2001:db8:f001::9"] };
  const [line = ""] = describeServices([LIVE, other]);
  assert(line.includes(`198.18.0.7 dev ${LINK} and 198.18.0.9 dev`) || line.includes(` and 198.18.0.7 dev ${LINK}`));
  for (const ready of [false, undefined]) assertEquals(describeServices([{ ...LIVE, ready }]), []);
});

Deno.test("heardOf() is sure of what only one other node serves, and of nothing that is served here as well", () => {
  const { certain, possible } = heardOf(EXPECTED);
  assertEquals([[...certain], possible], [[["198.18.255.3", "192.0.2.11"]], [[ANYCAST[0], "192.0.2.11"]]]);
  assertEquals(heardOf({ ...EXPECTED, live: [] }).certain.size, 2);
  assertEquals([...servedBy(EXPECTED.live).keys()], [...ANYCAST]);
});
