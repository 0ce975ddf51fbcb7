import { assertEquals } from "@std/assert";
import { parseIpEvent } from "../exec/parse_ip_event.ts";
import { RouteTracker } from "./route_tracker.ts";

const LINK = "flock0badcafe";
const LEFT = new Map([
  ["nexthop 7", `10.0.0.7 dev ${LINK}`],
  ["nexthop 8", "10.0.0.8 dev flock0000cafe"],
  ["nexthop 9", "7/8"],
  ["route 192.0.2.53", "9"],
  ["nexthop 17", `2001:db8::7 dev ${LINK}`],
  ["nexthop 19", "17"],
  ["route 2001:db8:a::53", "19"],
]);
/** The kernel's words for all that. */
const MADE = [
  `[NEXTHOP]id 7 via 10.0.0.7 dev ${LINK} scope link proto 70 onlink `,
  "[NEXTHOP]id 8 via 10.0.0.8 dev flock0000cafe scope link proto 70 onlink ",
  "[NEXTHOP]id 9 group 8/7 type resilient buckets 256 idle_timer 4 unbalanced_timer 8 unbalanced_time 0 scope global proto 70 ",
  "[ROUTE]unicast 192.0.2.53 nhid 9 table main proto 70 scope global metric 20 ",
  `[NEXTHOP]id 17 via 2001:db8::7 dev ${LINK} scope link proto 70 onlink `,
  "[NEXTHOP]id 19 group 17 type resilient buckets 256 idle_timer 4 unbalanced_timer 8 unbalanced_time 0 scope global proto 70 ",
  "[ROUTE]unicast 2001:db8:a::53 nhid 19 table main proto 70 scope global metric 20 pref medium",
];
const without = (line = ""): string => line.replace("]", "]Deleted ");
const link = (flags: string, name = LINK): string =>
  `[LINK]3: ${name}@if2: <BROADCAST,MULTICAST${flags}> mtu 1500 qdisc noqueue state UP \\    link/ether 02:00:00:00:00:01 brd x`;

/** @returns what is broken after these lines */
function brokenBy(lines: readonly string[], tracker = new RouteTracker()): string[] {
  for (const line of lines) {
    const event = parseIpEvent(line);
    if (event !== undefined) tracker.hear(event);
  }
  return tracker.broken(LEFT);
}

Deno.test("RouteTracker finds nothing wrong with what the driver makes, mentions again or was never heard of, nor with others' things", () => {
  assertEquals(brokenBy([]), []);
  assertEquals(brokenBy([...MADE.map(without), ...MADE, ...MADE]), []);
  assertEquals(
    brokenBy([
      without("[NEXTHOP]id 70 via 10.0.0.7 dev up0 scope link proto zebra "),
      `[ROUTE]unicast 192.0.2.53 nhid 9 via 10.0.0.7 dev ${LINK} table main proto 70 scope global metric 20 onlink linkdown `,
      without("[ROUTE]unicast 192.0.2.53 via 10.0.0.99 dev up0 table main proto bird scope global metric 32 "),
      without("[ROUTE]unicast 192.0.2.53 nhid 9 table 7 proto 70 scope global metric 20 "),
      without("[ROUTE]unicast 192.0.2.80 nhid 9 table main proto 70 scope global metric 20 "),
      link(",UP,LOWER_UP"),
      link("", "up0"),
      link("", "flock0000beef"),
    ]),
    [],
  );
});

Deno.test("RouteTracker notices each route, group and hop that is removed, and tells which", () => {
  [...LEFT].forEach(([key, value]) => {
    const [line] = MADE.filter((each) =>
      each.includes(key.startsWith("route ") ? key.slice(6) : `]id ${key.slice(8)} `)
    );
    assertEquals(brokenBy([without(line)]), [`${key} ${value}`]);
    assertEquals(brokenBy([without(line), line ?? ""]), []);
  });
});

Deno.test("RouteTracker notices what is altered", () => {
  const [hop = "", , group = "", route = "", , , route6 = ""] = MADE;
  const altered = [
    hop.replace("10.0.0.7", "10.0.0.9"),
    hop.replace(LINK, "flock0000cafe"),
    hop.replace("onlink", ""),
    group.replace("8/7", "8"),
    group.replace("8/7", "7,3/8"),
    route.replace("nhid 9", "nhid 19"),
    route.replace("nhid 9", `via 10.0.0.7 dev ${LINK}`),
    route.replace("proto 70", "proto boot"),
    route.replace("metric 20", "metric 20 mtu 900"),
    "[ROUTE]unreachable 192.0.2.53 table main proto 70 scope global metric 20 ",
    route6.replace("nhid 19", `dev ${LINK}`),
  ];
  for (const line of altered) {
    assertEquals(brokenBy(MADE.concat(line)).length, 1, line);
    assertEquals(brokenBy([line]).length, 1, line);
  }
});

Deno.test("RouteTracker counts the hops of a link that was away, down or without carrier as lost, until they are mentioned", () => {
  const lost = [`nexthop 7 10.0.0.7 dev ${LINK}`, `nexthop 17 2001:db8::7 dev ${LINK}`];
  for (const line of [without(link(",UP,LOWER_UP")), link(""), link(",UP"), link(",LOWER_UP")]) {
    assertEquals(brokenBy([...MADE, line]), lost, line);
    assertEquals(brokenBy([line, link(",UP,LOWER_UP")]), lost, line);
    assertEquals(brokenBy([line, link(",UP,LOWER_UP"), ...MADE]), [], line);
  }
});

Deno.test("RouteTracker forgets at reset(), and what the driver did not leave", () => {
  const tracker = new RouteTracker();
  assertEquals(brokenBy([without(MADE[0]), link("")], tracker).length, 2);
  tracker.reset();
  assertEquals(tracker.broken(LEFT), []);
  brokenBy([without(MADE[0]), link("")], tracker);
  assertEquals([tracker.broken(new Map()), tracker.broken(LEFT)], [[], []]);
});
