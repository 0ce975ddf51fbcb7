import { assertEquals } from "@std/assert";
import { judgeOrphans } from "./orphans.ts";

const ORPHAN = { name: "cni-1", bornAt: 1_000, links: [{ link: "flock00000001", containerId: "a" }] };

Deno.test("judgeOrphans() takes a namespace for containerd's leak only if containerd was killed during the attempt", () => {
  const allocated = new Set(["a"]);
  assertEquals(judgeOrphans([ORPHAN], { kills: [2_000], allocated }), []);
  const nobodys = ["network namespace cni-1 is nobody's, and no containerd was killed while it could be made"];
  for (const kills of [[], [999], [200_000]]) assertEquals(judgeOrphans([ORPHAN], { kills, allocated }), nobodys);
});

Deno.test("judgeOrphans() names a link of flock's in there that its state does not know", () => {
  assertEquals(judgeOrphans([ORPHAN], { kills: [2_000], allocated: new Set() }), [
    "flock00000001 of a is in cni-1, which is nobody's, and has no allocation",
  ]);
});
