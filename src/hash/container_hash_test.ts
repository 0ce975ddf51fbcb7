import { assertEquals, assertMatch } from "@std/assert";
import { hostLinkName, podMacOf } from "./container_hash.ts";

Deno.test("hostLinkName() is the FNV-1a-32 of the container ID and fits IFNAMSIZ", () => {
  assertEquals(hostLinkName("foobar"), "flockbf9cf968");
  for (let i = 0; i < 2000; i++) assertMatch(hostLinkName(`c${i}`), /^flock[0-9a-f]{8}$/);
});

Deno.test("podMacOf() is unicast, locally administered and stable", () => {
  for (let i = 0; i < 2000; i++) assertMatch(podMacOf(`c${i}`), /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
  assertEquals(podMacOf("foobar"), podMacOf("foobar"));
});

Deno.test("podMacOf() differs between containers", () => {
  const macs = new Set(Array.from({ length: 2000 }, (_, i) => podMacOf(`c${i}`)));
  assertEquals(macs.size, 2000);
});
