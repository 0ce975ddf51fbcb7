import { assertEquals } from "@std/assert";
import { parseEchoes } from "./echo_load.ts";

const line = (at: number, number: number): string =>
  `[${at}.5] 64 bytes from 192.0.2.1: icmp_seq=${number} ttl=64 time=0.1 ms`;

Deno.test("parseEchoes() counts what got no answer before the last one that did", () => {
  const log = ["PING 192.0.2.1 (192.0.2.1) 56(84) bytes of data.", line(1, 1), line(2, 2), line(4, 5), ""].join("\n");
  assertEquals(parseEchoes(log), { sent: 5, lostAfter: [2.5, 2.5] });
  assertEquals(parseEchoes([line(3, 3), line(4, 4), ""].join("\n")), { sent: 2, lostAfter: [] });
  assertEquals(parseEchoes(""), { sent: 0, lostAfter: [] });
});

Deno.test("parseEchoes() counts on where the number starts anew", () => {
  const numbers = Array.from({ length: 65_540 }, (_, index) => (index + 1) % 65_536).filter((n) => n !== 65_535);
  assertEquals(parseEchoes(numbers.map((number) => line(1, number)).join("\n")), { sent: 65_540, lostAfter: [1.5] });
});
