import { assertEquals } from "@std/assert";
import { EXPECTED } from "./_well.ts";
import { type BirdSight, judgeBird, parseBirdRoutes } from "./bird.ts";

const TEXT = `BIRD 2.0.12 ready.
Table master4:
198.18.4.0/22        unicast [peer4_c0000201 16:04:01.920 from 192.0.2.1] * (100) [AS65102i]
	via 192.0.2.11 on up0
                     unicast [peer4_c0000202 16:04:01.920 from 192.0.2.2] (100) [AS65102i]
	via 192.0.2.12 on up0
198.18.0.0/22        blackhole [aggregates4 16:03:59.952] * (200)

Table master6:
2001:db8:f001::/64   blackhole [aggregates6 16:03:59.952] * (200)
`;

const WELL: BirdSight = {
  routes: [
    "198.18.0.0/22 blackhole aggregates4",
    "2001:db8:f001::/64 blackhole aggregates6",
    "198.18.255.1/32 blackhole anycast4",
    "2001:db8:a::1/128 blackhole anycast6",
    "198.18.255.1/32 unicast peer4 via 192.0.2.11 on up0",
    "198.18.255.3/32 unicast peer4 via 192.0.2.11 on up0",
    "198.18.4.0/22 unicast peer4 via 192.0.2.11 on up0",
    "198.51.100.0/24 unicast peer4 via 192.0.2.1 on up0",
    "2001:db8:f002::/64 unicast peer6 via 2001:db8:1::b on up0",
    "2001:db8:c::/64 unicast peer6 via 2001:db8:1::1 on up0",
  ],
  exported: ["peer4 198.18.0.0/22", "peer6 2001:db8:f001::/64", "peer4 198.18.255.1/32", "peer6 2001:db8:a::1/128"],
  sessions: ["peer4_c0000201 Established", "peer6_20010db8 Established"],
};

Deno.test("parseBirdRoutes() reads every route of every table", () => {
  assertEquals(parseBirdRoutes(TEXT), [
    "198.18.4.0/22 unicast peer4 via 192.0.2.11 on up0",
    "198.18.4.0/22 unicast peer4 via 192.0.2.12 on up0",
    "198.18.0.0/22 blackhole aggregates4",
    "2001:db8:f001::/64 blackhole aggregates6",
  ]);
});

Deno.test("judgeBird() names a static that is too much or missing, a route heard otherwise, an export, a session", () => {
  assertEquals(judgeBird(WELL, EXPECTED), []);
  // The router tells of one path only, and that may be this node's.
  assertEquals(judgeBird({ ...WELL, routes: WELL.routes.toSpliced(4, 1) }, EXPECTED), []);
  const wrongs: [Partial<BirdSight>, string][] = [
    [
      { routes: [...WELL.routes, "198.18.0.9/32 blackhole anycast4"] },
      "BIRD's routes: 198.18.0.9/32 blackhole anycast4 is too much",
    ],
    [{ routes: WELL.routes.slice(1) }, "BIRD's routes: 198.18.0.0/22 blackhole aggregates4 is missing"],
    [
      { routes: WELL.routes.toSpliced(2, 1) },
      "BIRD's routes: 198.18.255.1/32 blackhole anycast4 is missing",
    ],
    [
      { routes: WELL.routes.toSpliced(5, 1) },
      "BIRD's routes: 198.18.255.3/32 unicast peer4 via 192.0.2.11 on up0 is missing",
    ],
    [
      { routes: WELL.routes.toSpliced(6, 1) },
      "BIRD's routes: 198.18.4.0/22 unicast peer4 via 192.0.2.11 on up0 is missing",
    ],
    [{ exported: [...WELL.exported, "peer4 198.18.4.0/22"] }, "exports of BIRD: peer4 198.18.4.0/22 is too much"],
    [{ exported: WELL.exported.slice(1) }, "exports of BIRD: peer4 198.18.0.0/22 is missing"],
    [{ sessions: WELL.sessions.slice(1) }, "BIRD's sessions: peer4 Established is missing"],
  ];
  for (const [part, line] of wrongs) assertEquals(judgeBird({ ...WELL, ...part }, EXPECTED), [line]);
});
