import { assertEquals } from "@std/assert";
import { judgeRouter, parseRib, type RouterSight } from "./router.ts";

const EXPECTED = new Map([
  ["198.18.0.0/22", ["192.0.2.10"]],
  ["2001:db8:f001::/64", ["2001:db8:1::a"]],
  ["2001:db8:a::1/128", ["2001:db8:1::a", "2001:db8:1::b"]],
]);
const INSTALLED = ["198.18.0.0/22 via 192.0.2.10", "2001:db8:f001::/64 via fe80::ff:a"];
const SHARED = "via fe80::ff:a and fe80::ff:b";
const WELL: RouterSight = {
  paths: [
    "198.18.0.0/22 via 192.0.2.10",
    "2001:db8:f001::/64 via 2001:db8:1::a",
    ...["a", "b"].map((node) => `2001:db8:a::1/128 via 2001:db8:1::${node}`),
  ],
  rib: [...INSTALLED, `2001:db8:a::1/128 ${SHARED}`],
  kernel: [...INSTALLED, `2001:db8:a::1 ${SHARED}`],
  sessions: ["192.0.2.10 Established", "2001:db8:1::a Established", "2001:db8:1::b Established"],
};

Deno.test("parseRib() reads what is selected and installed", () => {
  const hop = { ip: "192.0.2.10", fib: true };
  const routes = [{ selected: true, nexthops: [hop, { ip: "192.0.2.11" }] }, { nexthops: [hop] }];
  assertEquals(parseRib(JSON.stringify({ "198.18.0.0/22": routes })), ["198.18.0.0/22 via 192.0.2.10"]);
});

Deno.test("judgeRouter() wants every prefix by all of its next hops in BGP table, RIB and kernel, and nothing else", () => {
  assertEquals(judgeRouter(WELL, EXPECTED), []);
  const ghost = "198.18.0.9/32 via 192.0.2.10";
  const wrongs: [Partial<RouterSight>, string][] = [
    [{ paths: [...WELL.paths, ghost] }, `BGP table of the router: ${ghost} is too much`],
    [{ paths: WELL.paths.slice(1) }, "BGP table of the router: 198.18.0.0/22 via 192.0.2.10 is missing"],
    [
      { paths: WELL.paths.slice(0, 3) },
      "BGP table of the router: 2001:db8:a::1/128 via 2001:db8:1::b is missing",
    ],
    [{ rib: [...WELL.rib, ghost] }, `RIB of the router: ${ghost} is too much`],
    [{ kernel: WELL.kernel.slice(1) }, "kernel of the router: 198.18.0.0/22 via 192.0.2.10 is missing"],
    [{ sessions: WELL.sessions.slice(1) }, "sessions of the router: 192.0.2.10 Established is missing"],
  ];
  for (const [part, line] of wrongs) assertEquals(judgeRouter({ ...WELL, ...part }, EXPECTED), [line]);
});
