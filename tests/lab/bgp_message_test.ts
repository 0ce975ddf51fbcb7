import { assertEquals, assertThrows } from "@std/assert";
import { parseBgp } from "./bgp_message.ts";
import { parseRouteEvents } from "./route_watch.ts";

const KEEPALIVE = messageOf("04", "");
/** Takes 203.0.113.64/26 back and announces 198.18.0.1/32. */
const UPDATE4 = messageOf("02", "0005" + "1acb007140" + "0000" + "20c6120001");
const REACHES = "800e260002011020010db800010000000000000000000a008020010db8000a00000000000000000001";
const REACHES_NO_MORE = "900f000c0002014020010db8f0010000";
/** The same with 2001:db8:f001::/64 and 2001:db8:a::1/128, by attributes. */
const UPDATE6 = messageOf("02", `00000039${REACHES}${REACHES_NO_MORE}`);

function messageOf(type: string, body: string): string {
  return `${"ff".repeat(16)}${(19 + body.length / 2).toString(16).padStart(4, "0")}${type}${body}`;
}

Deno.test("parseBgp() reads prefixes of both families and leaves a message that is not whole", () => {
  const stream = Uint8Array.fromHex(KEEPALIVE + UPDATE4 + UPDATE6 + UPDATE6.slice(0, 60));
  const { messages, size } = parseBgp(stream);
  assertEquals(messages, [
    { type: "KEEPALIVE", announced: [], withdrawn: [] },
    { type: "UPDATE", announced: ["198.18.0.1/32"], withdrawn: ["203.0.113.64/26"] },
    { type: "UPDATE", announced: ["2001:db8:a::1/128"], withdrawn: ["2001:db8:f001::/64"] },
  ]);
  assertEquals(size, stream.length - 30);
});

Deno.test("parseBgp() refuses what is no BGP", () => {
  assertThrows(() => parseBgp(new Uint8Array(100)), Error, "a message of 0 bytes");
});

Deno.test("parseRouteEvents() reads unicast routes of both families, with microseconds", () => {
  const log = `[2026-11-21T16:03:42.123456] 198.18.0.1 nhid 12 proto bgp metric 20 
	nexthop via 192.0.2.10 dev br0 weight 1 
[2026-11-21T16:03:43.000001] Deleted 2001:db8:a::1 nhid 20 proto bgp metric 20 pref medium
[2026-11-21T16:03:44.5] local 192.0.2.10 dev lo table local proto kernel scope host src 192.0.2.10 
`;
  const [first, second, ...more] = parseRouteEvents(log);
  assertEquals([first?.prefix, first?.deleted, Math.round((first?.at ?? 0) % 1000)], ["198.18.0.1/32", false, 123]);
  assertEquals([second?.prefix, second?.deleted], ["2001:db8:a::1/128", true]);
  assertEquals(more, []);
});
