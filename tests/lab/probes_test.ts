import { assertEquals } from "@std/assert";
import { sourceOf } from "./probes.ts";

const LINES = [
  ["up0 In  IP 203.0.113.2 > 198.51.100.2: ICMP echo request, id 7, seq 1, length 64", "203.0.113.2"],
  ["IP 203.0.113.2.40112 > 198.51.100.2.7: Flags [S], seq 1, win 1, length 0", "203.0.113.2"],
  ["IP6 2001:db8:f001::20 > 2001:db8:c::2: ICMP6, echo request, id 1, seq 1, length 64", "2001:db8:f001::20"],
  ["IP6 2001:db8:f001::20.40112 > 2001:db8:c::2.7: Flags [S], seq 1, win 1, length 0", "2001:db8:f001::20"],
] as const;

for (const [line, source] of LINES) {
  Deno.test(`sourceOf() reads ${source} from "${line.slice(0, 40)}..."`, () => assertEquals(sourceOf(line), source));
}
