import { assertEquals } from "@std/assert";
import { PERMISSION_SETS } from "../src/permissions/permission_sets.ts";
import { renderPermissionFlags } from "./permission_flags.ts";

const SOCKET = { net: ["unix:/run/a.sock"], read: ["/run/a.sock", "/b"] };

Deno.test("renderPermissionFlags() names a socket as net where Deno knows it so, and leaves it out where it refuses", () => {
  const read = "--allow-read=/run/a.sock,/b";
  assertEquals(renderPermissionFlags(SOCKET, "2.9.6"), ["--allow-net=unix:/run/a.sock", read]);
  assertEquals(renderPermissionFlags(SOCKET, "3.0.0"), ["--allow-net=unix:/run/a.sock", read]);
  assertEquals(renderPermissionFlags(SOCKET, "2.4.2"), [read]);
});

Deno.test("renderPermissionFlags() grants everything of a kind only where the set says so", () => {
  assertEquals(renderPermissionFlags({ net: true, run: false, env: [] }, "2.9.6"), ["--allow-net"]);
  const agent = renderPermissionFlags(PERMISSION_SETS.agent, "2.9.6");
  assertEquals(agent.filter((flag) => !flag.includes("=")), ["--allow-net"]);
});
