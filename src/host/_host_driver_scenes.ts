/** The host driver on a real kernel; run by system_host_driver_linux_test.ts in a namespace of its own. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FrameSender, withChecksum } from "../../tests/lab/raw_frames.ts";
import { type Argv, expectSuccess } from "../exec/command_runner.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { type Address, parseAddress, parsePrefix, type Prefix } from "../ip/address.ts";
import { IP, SYSCTL_DIR } from "../paths/paths.ts";
import { createSysctlTree } from "../sysctl/sysctl_tree.ts";
import type { HostChange } from "./host_driver.ts";
import { createHostDriver } from "./system_host_driver.ts";
import { expectOwnNamespace } from "../../tests/lab/in_namespace.ts";

expectOwnNamespace();

const runner = createSystemRunner();
const sysctls = createSysctlTree(SYSCTL_DIR);
const NOTHING: HostChange = { changed: [], left: [] };
const spawned: Argv[] = [];
const written: string[] = [];
const driver = createHostDriver({
  ip: IP,
  runner: {
    run: (argv, options) => {
      spawned.push(argv);
      return runner.run(argv, options);
    },
  },
  sysctls: {
    read: (name) => sysctls.read(name),
    write: (name, value) => {
      written.push(name);
      sysctls.write(name, value);
    },
  },
});

async function sh(command: string): Promise<string> {
  const argv = ["/bin/sh", "-c", `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${command}`] as const;
  return expectSuccess(argv, await runner.run(argv)).stdout;
}

function ip(text: string): Address {
  const address = parseAddress(text);
  assert(address, text);
  return address;
}

function prefixes(...texts: string[]): Prefix[] {
  return texts.flatMap((text) => parsePrefix(text) ?? []);
}

async function until(done: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("Cannot go on: nothing happened for 2 s");
}

/** A router advertisement (RFC 4861, 4.2) with a lifetime and no options, heard by the link whose far end this is. */
function advertise(farEnd: string, mac: string): void {
  using sender = new FrameSender(farEnd);
  const body = new Uint8Array([134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0]);
  sender.send(withChecksum({ from: ip("fe80::99"), to: ip("ff02::1"), protocol: 58, body, hopLimit: 255 }), mac);
}

Deno.test("a default route from RA outlives forwarding, and is lost without accept_ra 2 (T-REL-28)", async () => {
  for (const [link, far] of [["up0", "up1"], ["lost0", "lost1"]] as const) {
    await sh(`ip link add ${link} address 02:00:00:00:01:01 type veth peer name ${far} address 02:00:00:00:01:02
      echo 0 >/run/flock/sys/ipv6/conf/${far}/accept_ra; ip link set ${link} up; ip link set ${far} up`);
    await until(async () => (await sh(`ip -6 address show dev ${link} scope link -tentative`)).includes("fe80"));
    advertise(far, "33:33:00:00:00:01");
    await until(async () => (await sh(`ip -6 route show default dev ${link}`)).includes("proto ra"));
  }
  const network = await driver.read();
  assertEquals(network.defaultRoutes.map(({ link, family }) => `${link} ${family}`).toSorted(), ["lost0 6", "up0 6"]);
  assert(network.defaultRoutes.every((route) => route.fromRouterAdvertisement));
  const known = {
    ...network,
    defaultRoutes: network.defaultRoutes.filter(({ link }) => link === "up0"),
    mtus: new Map([["up0", 1500]]),
  };
  await driver.apply({ blackholes: [], families: [6] }, known);
  assertEquals(sysctls.read("ipv6/conf/all/forwarding"), "1");
  assertStringIncludes(await sh("ip -6 route show default dev up0"), "proto ra");
  assertEquals(await sh("ip -6 route show default dev lost0"), "");
  assertEquals(sysctls.read("ipv4/ip_forward"), "0");
});

Deno.test("a link whose RA somebody else than the kernel hears keeps accept_ra 0", async () => {
  sysctls.write("ipv6/conf/up0/accept_ra", "0");
  await driver.apply({ blackholes: [], families: [6] }, await driver.read());
  assertEquals(sysctls.read("ipv6/conf/up0/accept_ra"), "0");
});

Deno.test("read() tells lasting addresses from passing ones, and leaves pods' links out", async () => {
  await sh(`ip address add 192.0.2.5/27 dev up0; ip address add 192.0.2.9/32 dev lo
    ip -6 address add 2001:db8::5/56 dev up0 nodad; ip -6 address add 2001:db8::6/56 dev up0 nodad valid_lft 900 preferred_lft 900
    ip link set up0 mtu 9000; ip route add default via 192.0.2.1
    ip link add flock0badcafe type veth peer name pod; ip address add 192.0.2.66/32 dev flock0badcafe`);
  const network = await driver.read();
  const shown = network.addresses.filter(({ scope }) => scope === "global")
    .map(({ address, length, link, permanent }) => `${address.text}/${length} ${link} ${permanent}`);
  assertEquals(shown.toSorted(), [
    "192.0.2.5/27 up0 true",
    "192.0.2.9/32 lo true",
    "2001:db8::5/56 up0 true",
    "2001:db8::6/56 up0 false",
  ]);
  assert(network.addresses.every(({ scope }) => scope !== "host"));
  assertEquals(network.mtus.get("up0"), 9000);
  assertEquals(network.mtus.has("flock0badcafe"), false);
  assertEquals(network.defaultRoutes.find(({ family }) => family === 4), {
    family: 4,
    link: "up0",
    fromRouterAdvertisement: false,
  });
});

Deno.test("apply() makes exactly the blackholes asked for, of our protocol only (T-REL-35)", async () => {
  await sh(`ip route add blackhole 198.51.100.0/24 metric 77; ip route add blackhole 203.0.113.0/24 metric 77
    ip route add blackhole 10.66.0.0/16 proto 70 metric 5; ip -6 route add blackhole 2001:db8:66::/64 proto 70 metric 5
    ip route add 10.67.0.0/16 dev up0 proto 70`);
  const network = await driver.read();
  const wanted = prefixes("203.0.113.0/24", "10.0.0.1/32", "2001:db8:f::/64", "2001:db8:f::1/128");
  await driver.apply({ blackholes: wanted, families: [4, 6] }, network);
  const ours = async (): Promise<string[]> => {
    const lists = await sh("ip -4 route show type blackhole proto 70; ip -6 route show type blackhole proto 70");
    return lists.trim().split("\n").map((line) => line.split(" ")[1] ?? "").toSorted();
  };
  assertEquals(await ours(), ["10.0.0.1", "2001:db8:f::/64", "2001:db8:f::1", "203.0.113.0/24"]);
  await driver.apply({ blackholes: prefixes("2001:db8:f::/64"), families: [4, 6] }, network);
  assertEquals(await ours(), ["2001:db8:f::/64"]);
  assertEquals((await sh("ip -4 route show type blackhole")).match(/metric 77/g)?.length, 2);
  assertStringIncludes(await sh("ip route show proto 70"), "10.67.0.0/16");
});

Deno.test("apply() forwards both families, hashes over layer 4, and answers for 169.254.1.1", async () => {
  await driver.apply({ blackholes: [], families: [4, 6] }, await driver.read());
  for (const name of ["ipv4/ip_forward", "ipv6/conf/all/forwarding"]) assertEquals(sysctls.read(name), "1", name);
  for (const family of [4, 6]) assertEquals(sysctls.read(`ipv${family}/fib_multipath_hash_policy`), "1");
  assertStringIncludes(await sh("ip address show dev lo"), "inet 169.254.1.1/32 scope host lo");
});

Deno.test("a second apply() over unchanged state writes nothing and spawns only reads", async () => {
  const state = { blackholes: prefixes("203.0.113.0/24", "2001:db8:f::/64"), families: [4, 6] as const };
  const network = await driver.read();
  await driver.apply(state, network);
  [spawned.length, written.length] = [0, 0];
  assertEquals(await driver.apply(state, network), NOTHING);
  assertEquals(written, []);
  assert(spawned.length > 0 && spawned.every((argv) => argv.includes("show")), JSON.stringify(spawned));
});

Deno.test("apply() puts back what others took away, and says so (T-REL-28)", async () => {
  const state = { blackholes: prefixes("203.0.113.0/24"), families: [4, 6] as const };
  const network = await driver.read();
  await driver.apply(state, network);
  await sh(
    "ip route del blackhole 203.0.113.0/24 proto 70; ip address del 169.254.1.1/32 dev lo; echo 0 >/run/flock/sys/ipv4/ip_forward",
  );
  const told = (await driver.apply(state, network)).changed.join("\n");
  for (const word of ["203.0.113.0/24", "169.254.1.1", "ipv4/ip_forward"]) assertStringIncludes(told, word);
  assertEquals(await driver.apply(state, network), NOTHING);
});

Deno.test("apply() makes a blackhole before another's route of its prefix and metric, leaves that one, and takes only its own away", async () => {
  const wanted = prefixes("203.0.113.0/24", "2001:db8:f::/64");
  const network = await driver.read();
  await driver.apply({ blackholes: wanted, families: [4, 6] }, network);
  await sh(
    `ip route replace unreachable 203.0.113.0/24 metric 20; ip -6 route replace unreachable 2001:db8:f::/64 metric 20
    ip route add 203.0.113.0/24 dev up0 metric 19`,
  );
  const routes = async (): Promise<string[]> => {
    const lines = await sh("ip route show exact 203.0.113.0/24; ip -6 route show exact 2001:db8:f::/64");
    return lines.trim().split("\n").filter((line) => !line.includes("metric 77")).map((line) => line.trim());
  };
  const theirs = (await routes()).toSorted();
  assertEquals(theirs.filter((line) => line.includes("proto 70")), []);
  const { changed } = await driver.apply({ blackholes: wanted, families: [4, 6] }, network);
  assertEquals(changed, [
    "route add blackhole 203.0.113.0/24 proto 70 metric 18",
    "route add blackhole 2001:db8:f::/64 proto 70 metric 19",
  ]);
  assertStringIncludes((await routes())[0] ?? "", "blackhole 203.0.113.0/24 proto 70 metric 18");
  assertEquals(await driver.apply({ blackholes: wanted, families: [4, 6] }, network), NOTHING);
  await driver.apply({ blackholes: [], families: [4, 6] }, network);
  assertEquals((await routes()).toSorted(), theirs);
});

Deno.test("169.254.1.1 on lo never becomes a source address, because of its scope", async () => {
  await sh(`ip address flush dev lo scope global; ip address replace 192.0.2.5/27 dev up0
    ip link add flock00000077 type veth peer name pod77; ip link set flock00000077 up; ip link set pod77 up
    ip route add 203.0.113.77/32 dev flock00000077`);
  const source = async (): Promise<string> =>
    (await sh("ip -j route get 203.0.113.77")).match(/"prefsrc":"(.+?)"/)?.[1] ?? "";
  await driver.apply({ blackholes: [], families: [4] }, await driver.read());
  assertEquals(await source(), "192.0.2.5");
  await sh("ip address del 169.254.1.1/32 dev lo; ip address add 169.254.1.1/32 dev lo scope global");
  assertEquals(await source(), "169.254.1.1");
  await sh("ip address del 169.254.1.1/32 dev lo; ip link del flock00000077");
});
