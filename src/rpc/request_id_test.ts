import { assertEquals, assertMatch } from "@std/assert";
import { newRequestId, parseRequestId, withRequestId } from "./request_id.ts";

Deno.test("newRequestId() gives twelve hexadecimal digits, whatever the generator says, and others each time", () => {
  for (const random of [0, 1e-15, 0.5, 1 - 2 ** -53]) assertMatch(newRequestId(() => random), /^[0-9a-f]{12}$/);
  assertEquals(new Set(Array.from({ length: 1000 }, () => newRequestId())).size, 1000);
});

Deno.test("parseRequestId() takes back what newRequestId() gives, and nothing else", () => {
  const id = newRequestId();
  assertEquals(parseRequestId(id), id);
  for (const none of [undefined, 1, "", "x".repeat(12), "0123456789AB", `${id}\n`, `${id}0`]) {
    assertEquals(parseRequestId(none), undefined, String(none));
  }
});

Deno.test("withRequestId() names the id once", () => {
  const named = withRequestId("", "0123456789ab");
  assertEquals([named, withRequestId(named, "0123456789ab")], ["request 0123456789ab", "request 0123456789ab"]);
  assertEquals(withRequestId("so", "0123456789ab"), "so; request 0123456789ab");
  assertEquals(withRequestId("so", undefined), "so");
});
