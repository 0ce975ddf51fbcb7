import { assertEquals } from "@std/assert";
import { netnsGone } from "./netns_gone.ts";

Deno.test("netnsGone() is true only for a path that is known to hold nothing", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dir}/there`, "");
    await Deno.symlink(`${dir}/nowhere`, `${dir}/dangling`);
    const said = ["there", "gone", "gone/deeper", "dangling", "there/deeper"].map((name) =>
      netnsGone(`${dir}/${name}`)
    );
    assertEquals(said, [false, true, true, false, false]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test({
  name: "netnsGone() of a path that may not be read is false: nothing is freed on a guess",
  permissions: { read: false },
  fn: () => assertEquals(netnsGone("/run/netns/gone"), false),
});
