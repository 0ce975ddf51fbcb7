import { assert, assertEquals } from "@std/assert";
import * as paths from "../paths/paths.ts";
import { GRANTED, PERMISSION_SETS, type PermissionSet, unionOf } from "./permission_sets.ts";

function allows(list: PermissionSet["read"], path: string): boolean {
  return Array.isArray(list) && list.some((allowed) => path === allowed || path.startsWith(`${allowed}/`));
}

Deno.test("the plugin's set names the agent's socket, the tombstones and CNI_ variables, and nothing else", () => {
  const { env, ...files } = PERMISSION_SETS.plugin;
  const places = [paths.AGENT_SOCKET, paths.TOMBSTONE_DIR];
  assertEquals(files, { net: [`unix:${paths.AGENT_SOCKET}`], read: places, write: places });
  assert(Array.isArray(env) && env.every((name) => name.startsWith("CNI_")));
});

Deno.test("the agent's set covers every path that flock uses", () => {
  const { read, write, run } = PERMISSION_SETS.agent;
  const { IP, NFT, BIRD, BIRDC, NETNS_DIR, CONFIG_DIR, PASSWORD_DIR, ...own } = paths;
  const installers = ["CNI_BIN_DIR", "PLUGIN", "NEW_PLUGIN", "LOOPBACK_PLUGIN", "IMAGE_EXECUTABLE"];
  for (const [name, path] of Object.entries(own)) {
    if (typeof path === "string" && !installers.includes(name)) {
      assert(allows(read, path) && allows(write, path), `${name} ${path}`);
    }
  }
  for (const path of [CONFIG_DIR, PASSWORD_DIR, NETNS_DIR]) assert(allows(read, path) && !allows(write, path), path);
  assert([IP, NFT, BIRD].every((tool) => allows(run, tool)));
  assert(!allows(run, BIRDC));
});

Deno.test("the agent runs its three tools and nothing else", () => {
  assertEquals(PERMISSION_SETS.agent.run, ["/usr/sbin/ip", "/usr/sbin/nft", "/usr/sbin/bird"]);
});

Deno.test("install reads the image's executable, and runs nothing else; it writes where plugins are, and nowhere else", () => {
  const { IMAGE_EXECUTABLE, CNI_BIN_DIR, PLUGIN, NEW_PLUGIN } = paths;
  const expected = { read: [IMAGE_EXECUTABLE, CNI_BIN_DIR], write: [CNI_BIN_DIR], run: [IMAGE_EXECUTABLE] };
  assertEquals(PERMISSION_SETS.install, expected);
  assert([PLUGIN, NEW_PLUGIN].every((path) => allows(PERMISSION_SETS.install.write, path)));
});

Deno.test("uninstall may write where flock's files are, read the same, and run ip and nft", () => {
  const { read, write, run, net } = PERMISSION_SETS.uninstall;
  const { RUN_DIR, STATE_DIR, CONFIG_DIR, CNI_CONFIG_DIR, CNI_BIN_DIR, AGENT_SOCKET, BIRD_SOCKET } = paths;
  const places = [CNI_BIN_DIR, CNI_CONFIG_DIR, CONFIG_DIR, RUN_DIR, STATE_DIR];
  assertEquals([read, write, run], [places, places, [paths.IP, paths.NFT]]);
  assertEquals(net, [AGENT_SOCKET, BIRD_SOCKET].map((path) => `unix:${path}`));
});

Deno.test("inspect may ask the agent, read its state and run ip, nft and birdc; it writes nothing but to the socket", () => {
  const { read, write, run, net, env } = PERMISSION_SETS.inspect;
  const { AGENT_SOCKET, STATE_DIR, IP, NFT, BIRDC } = paths;
  assertEquals([read, write], [[AGENT_SOCKET, STATE_DIR], [AGENT_SOCKET]]);
  assertEquals([run, net, env], [[IP, NFT, BIRDC], [`unix:${AGENT_SOCKET}`], ["NO_COLOR"]]);
});

Deno.test("no mode reads or writes a place where another user can put a file", () => {
  for (const place of ["/tmp/x", "/var/tmp/x", "/dev/shm/x", "/proc/x", "/root/x"]) {
    assert(!allows(GRANTED.read, place) && !allows(GRANTED.write, place), place);
  }
});

Deno.test("unionOf() allows what any set allows, each name once", () => {
  const union = unionOf([{ env: ["A", "B"], net: ["h"], read: ["/a"] }, { env: ["B", "C"], net: true, run: false }]);
  assertEquals(union, { env: ["A", "B", "C"], net: true, read: ["/a"] });
});
