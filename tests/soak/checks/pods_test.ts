import { assertEquals } from "@std/assert";
import { EXPECTED, ID, LIVE } from "./_well.ts";
import { judgePods } from "./pods.ts";

const { uid, addresses } = LIVE;
const WELL = {
  api: [{ uid, phase: "Running", addresses: addresses.toReversed() }],
  runtime: [{ id: ID, uid, addresses }],
  allocations: [{ containerId: ID, podUid: uid }],
};
const HAS = addresses.toSorted().join(" and ");

Deno.test("judgePods() says nothing where API server, runtime and state agree, nor without an API server", () => {
  assertEquals(judgePods(WELL, EXPECTED), []);
  const { api: _, ...unasked } = WELL;
  assertEquals(judgePods(unasked, EXPECTED), []);
});

Deno.test("judgePods() names a running Pod without a sandbox, with other addresses, and one that never came up", () => {
  const running = (...api: typeof WELL.api): string[] => judgePods({ ...WELL, api }, EXPECTED);
  assertEquals(running(), [`running Pods of the API server: ${uid} has ${HAS} is missing`]);
  const ghost = { uid: "ghost", phase: "Running", addresses: ["198.18.0.9"] };
  assertEquals(running(...WELL.api, ghost), ["running Pods of the API server: ghost has 198.18.0.9 is too much"]);
  assertEquals(running({ uid, phase: "Running", addresses: ["198.18.0.9"] }).length, 2);
  assertEquals(running(...WELL.api, { ...ghost, phase: "Pending" }), ["Pod ghost is still pending"]);
});

Deno.test("judgePods() names a sandbox that nobody wants or that has other addresses, and state of another Pod", () => {
  const ghost = { id: "b", uid: "ghost", addresses: [] };
  assertEquals(judgePods({ ...WELL, runtime: [...WELL.runtime, ghost] }, EXPECTED), [
    "sandboxes of containerd: b of ghost has no address is too much",
  ]);
  assertEquals(judgePods({ ...WELL, runtime: [{ id: ID, uid, addresses: ["198.18.0.9"] }] }, EXPECTED).length, 2);
  assertEquals(judgePods({ ...WELL, allocations: [{ containerId: ID, podUid: "ghost" }] }, EXPECTED), [
    `allocations by Pod: ${ID} of ghost is too much`,
    `allocations by Pod: ${ID} of ${uid} is missing`,
  ]);
});
