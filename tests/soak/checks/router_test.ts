import { assertEquals } from "@std/assert";
import { judgeRouter, parseRib, type RouterSight } from "./router.ts";

const EXPECTED = new Map([["198.18.0.0/22", "192.0.2.10"], ["2001:db8:f001::/64", "2001:db8:1::a"]]);
const INSTALLED = ["198.18.0.0/22 via 192.0.2.10", "2001:db8:f001::/64 via fe80::ff:a"];
const WELL: RouterSight = {
  paths: ["198.18.0.0/22 via 192.0.2.10", "2001:db8:f001::/64 via 2001:db8:1::a"],
  rib: INSTALLED,
  kernel: INSTALLED,
  sessions: ["192.0.2.10 Established", "2001:db8:1::a Established"],
};

Deno.test("parseRib() reads what is selected and installed", () => {
  const hop = { ip: "192.0.2.10", fib: true };
  const routes = [{ selected: true, nexthops: [hop, { ip: "192.0.2.11" }] }, { nexthops: [hop] }];
  assertEquals(parseRib(JSON.stringify({ "198.18.0.0/22": routes })), ["198.18.0.0/22 via 192.0.2.10"]);
});

Deno.test("judgeRouter() wants every prefix by one next hop in BGP table, RIB and kernel, and nothing else", () => {
  assertEquals(judgeRouter(WELL, EXPECTED), []);
  const ghost = "198.18.0.9/32 via 192.0.2.10";
  const wrongs: [Partial<RouterSight>, string][] = [
    [{ paths: [...WELL.paths, ghost] }, `BGP table of the router: ${ghost} is too much`],
    [{ paths: WELL.paths.slice(1) }, "BGP table of the router: 198.18.0.0/22 via 192.0.2.10 is missing"],
    [{ rib: [...WELL.rib, ghost] }, `RIB of the router: ${ghost} is too much`],
    [{ kernel: WELL.kernel.slice(1) }, "kernel of the router: 198.18.0.0/22 via 192.0.2.10 is missing"],
    [{ sessions: WELL.sessions.slice(1) }, "sessions of the router: 192.0.2.10 Established is missing"],
  ];
  for (const [part, line] of wrongs) assertEquals(judgeRouter({ ...WELL, ...part }, EXPECTED), [line]);
});
