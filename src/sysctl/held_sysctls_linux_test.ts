/** Needs /proc, which tells what is open. */
import { assertEquals, assertThrows } from "@std/assert";
import { HeldSysctls } from "./held_sysctls.ts";

const NAME = "ipv4/conf/eth0.7/rp_filter";

function withTree(use: (held: HeldSysctls, root: string) => void): void {
  const root = Deno.makeTempDirSync();
  const held = new HeldSysctls(root);
  try {
    Deno.mkdirSync(`${root}/ipv4/conf/eth0.7`, { recursive: true });
    Deno.writeTextFileSync(`${root}/${NAME}`, "2\n");
    use(held, root);
  } finally {
    held.close();
    Deno.removeSync(root, { recursive: true });
  }
}

/** What is open below the directory. */
function openBelow(root: string): number {
  const links = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`);
    } catch {
      return "";
    }
  });
  return links.filter((path) => path.startsWith(root)).length;
}

Deno.test("HeldSysctls reads what is there now, from a file that it opened once", () =>
  withTree((held, root) => {
    assertEquals([held.read(NAME), held.read("ipv4/conf/eth1/rp_filter")], ["2", undefined]);
    Deno.writeTextFileSync(`${root}/${NAME}`, "0\n", { create: false });
    assertEquals([held.read(NAME), openBelow(root)], ["0", 1]);
  }));

Deno.test("HeldSysctls closes what was not read between two calls of letGo()", () =>
  withTree((held, root) => {
    held.read(NAME);
    held.letGo();
    held.read(NAME);
    held.letGo();
    assertEquals([held.read(NAME), openBelow(root)], ["2", 1]);
    held.letGo();
    held.letGo();
    assertEquals(openBelow(root), 0);
    assertEquals(held.read(NAME), "2");
  }));

Deno.test("HeldSysctls refuses a name that leaves the tree", () =>
  withTree((held) => void assertThrows(() => held.read("../x"), Error, "Cannot use sysctl")));
