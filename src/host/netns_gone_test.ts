import { assertEquals, assertThrows } from "@std/assert";
import { netnsAt } from "./netns_at.ts";
import { netnsGone } from "./netns_gone.ts";

Deno.test("netnsGone() is true for a path that holds nothing, or another thing than it did", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dir}/there`, "");
    await Deno.symlink(`${dir}/nowhere`, `${dir}/dangling`);
    const said = ["there", "gone", "gone/deeper", "dangling"].map((name) => netnsGone({ netns: `${dir}/${name}` }));
    assertEquals(said, [false, true, true, false]);
    const there = { netns: `${dir}/there`, netnsId: netnsAt(`${dir}/there`)?.id ?? "" };
    assertEquals(netnsGone(there), false);
    await Deno.remove(there.netns);
    await Deno.writeTextFile(there.netns, "");
    await Deno.utime(there.netns, 1, 1);
    assertEquals(netnsGone(there), true);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("netnsGone() leaves it to the link where there is no path, and where it is one of a process", () => {
  for (const netns of ["", `/proc/${Deno.pid}/ns/net`, "/proc/self/ns/net"]) assertEquals(netnsGone({ netns }), true);
});

Deno.test({
  name: "netnsGone() of a path that may not be read throws: nothing is freed on a guess, and it is said",
  permissions: { read: false },
  fn: () => void assertThrows(() => netnsGone({ netns: "/run/netns/gone" }), Deno.errors.NotCapable),
});
