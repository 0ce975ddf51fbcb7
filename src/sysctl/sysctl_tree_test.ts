import { assertEquals, assertThrows } from "@std/assert";
import { createSysctlTree, type SysctlTree } from "./sysctl_tree.ts";

async function withTree(use: (tree: SysctlTree, root: string) => void): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    Deno.mkdirSync(`${root}/ipv4/conf/eth0.7`, { recursive: true });
    Deno.writeTextFileSync(`${root}/ipv4/ip_forward`, "0\n");
    Deno.writeTextFileSync(`${root}/ipv4/conf/eth0.7/rp_filter`, "2\n");
    use(createSysctlTree(root), root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("read() gives the value without its newline, of links with dots in their names too", () =>
  withTree((tree) => {
    assertEquals(tree.read("ipv4/ip_forward"), "0");
    assertEquals(tree.read("ipv4/conf/eth0.7/rp_filter"), "2");
  }));

Deno.test("read() of a missing sysctl is undefined", () =>
  withTree((tree) => assertEquals(tree.read("ipv6/conf/all/forwarding"), undefined)));

Deno.test("write() replaces the value", () =>
  withTree((tree) => {
    tree.write("ipv4/ip_forward", "1");
    assertEquals(tree.read("ipv4/ip_forward"), "1");
  }));

Deno.test("write() of a missing sysctl names it and makes no file", () =>
  withTree((tree, root) => {
    assertThrows(
      () => tree.write("ipv4/nothing", "1"),
      Error,
      'Cannot set sysctl "ipv4/nothing" to "1": there is no such sysctl',
    );
    assertEquals([...Deno.readDirSync(`${root}/ipv4`)].map((entry) => entry.name).toSorted(), ["conf", "ip_forward"]);
  }));

Deno.test("a name that leaves the tree is refused, for reading and writing", () =>
  withTree((tree) => {
    for (const name of ["", "/etc/passwd", "..", "ipv4/../../x", "ipv4/./x", "ipv4//x", "ipv4/a b", "ipv4/a\0", "a/"]) {
      assertThrows(() => tree.read(name), Error, "Cannot use sysctl");
      assertThrows(() => tree.write(name, "1"), Error, "Cannot use sysctl");
    }
  }));
