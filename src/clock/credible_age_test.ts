import { assertEquals } from "@std/assert";
import { credibleAge } from "./credible_age.ts";

const NOW = 1_700_000_000_000;
const DAY = 86_400_000;

Deno.test("credibleAge() believes up to a day, and nothing from the future or from years ago", () => {
  const ages = [0, 1, DAY, DAY + 1, 3650 * DAY, -1, -DAY].map((age) => credibleAge(NOW - age, NOW));
  assertEquals(ages, [0, 1, DAY, 0, 0, 0, 0]);
});
