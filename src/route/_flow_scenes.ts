/** What becomes of flows to two pods behind one address, with real packets; run by system_route_driver_linux_test.ts. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { linkOf, routeTo } from "../../tests/fakes/_route_contract.ts";
import { RealRouteBench } from "../../tests/fakes/_real_routes.ts";
import { expectOwnNamespace } from "../../tests/lab/in_namespace.ts";
import { FrameSender } from "../../tests/lab/raw_frames.ts";
import { expectSuccess } from "../exec/command_runner.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { type Address, parseAddress } from "../ip/address.ts";
import { IP, SYSCTL_DIR } from "../paths/paths.ts";
import type { RouteDriver } from "./route_driver.ts";
import { UNBALANCED_S } from "./route_lines.ts";
import { createRouteDriver } from "./system_route_driver.ts";

expectOwnNamespace();

const FLOWS = 10_000;
const MAC = "02:00:00:00:00:01";
const runner = createSystemRunner();
const openRoutes = (): RouteDriver => createRouteDriver({ runner, ip: IP, logger: { warn: (text) => assert(!text) } });
const bench = new RealRouteBench({ runner, openRoutes });

async function sh(command: string): Promise<string> {
  const argv = ["/bin/sh", "-c", `export PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${command}`] as const;
  return expectSuccess(argv, await runner.run(argv)).stdout;
}

function addressOf(text: string): Address {
  const address = parseAddress(text);
  assert(address, text);
  return address;
}

/** A node that forwards, a client on `client1`, and pods that note the source port of each packet that reaches them. */
async function setUp(): Promise<void> {
  await sh(`ip link add client0 address ${MAC} type veth peer name client1
    ip link set client0 up; ip link set client1 up
    echo 1 >${SYSCTL_DIR}/ipv4/ip_forward; echo 1 >${SYSCTL_DIR}/ipv6/conf/all/forwarding
    for sysctl in ipv4/fib_multipath_hash_policy ipv6/fib_multipath_hash_policy; do echo 1 >${SYSCTL_DIR}/$sysctl; done
    for link in all client0; do echo 0 >${SYSCTL_DIR}/ipv4/conf/$link/rp_filter; done
    ip route add 198.51.100.0/24 dev client0`);
  for (const pod of [1, 2, 3]) {
    await bench.addLink(linkOf(pod));
    await sh(`for via in 203.0.113.${pod} 2001:db8:f::${pod}; do
      ip neigh add $via dev ${linkOf(pod)} lladdr $(ip netns exec ${
      linkOf(pod)
    } cat /sys/class/net/eth0/address) nud permanent; done
      ip netns exec ${linkOf(pod)} nft -f - <<X
table inet seen {
  set ports { type inet_service; size 65535; flags dynamic; }
  chain in { type filter hook prerouting priority 0; udp dport 53 add @ports { udp sport }; }
}
X`);
  }
}

/** Flows, by source port, that a pod saw since the last time. */
async function seenBy(pod: number): Promise<Set<number>> {
  const listing = await sh(`ip netns exec ${linkOf(pod)} nft -j list set inet seen ports
    ip netns exec ${linkOf(pod)} nft flush set inet seen ports`);
  const { nftables } = JSON.parse(listing);
  const elements: unknown = nftables.at(-1).set.elem ?? [];
  assert(Array.isArray(elements));
  return new Set(elements.map(Number));
}

/** One packet of each flow. @returns for each pod the flows that it got; no flow is lost */
async function flowsOf(to: Address): Promise<readonly Set<number>[]> {
  using sender = new FrameSender("client1");
  const from = addressOf(to.family === 4 ? "198.51.100.9" : "2001:db8:c::9");
  for (let port = 1024; port < 1024 + FLOWS; port++) {
    const body = new Uint8Array([port >> 8, port & 0xff, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4]);
    sender.send({ from, to, protocol: 17, body }, MAC);
  }
  const seen = await Promise.all([1, 2, 3].map(seenBy));
  assertEquals(seen.reduce((sum, { size }) => sum + size, 0), FLOWS, "each flow reaches one pod");
  return seen;
}

/** @returns the first shares that will do, while all flows stay alive */
async function flowsUntil(
  to: Address,
  enough: (shares: readonly Set<number>[]) => boolean,
): Promise<readonly Set<number>[]> {
  const deadline = performance.now() + (UNBALANCED_S + 3) * 1000;
  for (;;) {
    const shares = await flowsOf(to);
    if (enough(shares) || performance.now() > deadline) return shares;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function moved(before: ReadonlySet<number> | undefined, now: ReadonlySet<number> | undefined): number {
  assert(before !== undefined && now !== undefined);
  return before.difference(now).size;
}

function assertEven(shares: readonly Set<number>[], pods: number): void {
  const used = shares.filter(({ size }) => size > 0);
  assertEquals(used.length, pods);
  for (const { size } of used) {
    assertLess(Math.abs(size - FLOWS / pods), FLOWS / pods / 10, `${size} of ${FLOWS} to one of ${pods}`);
  }
}

for (const address of ["192.0.2.53", "2001:db8:a::53"]) {
  Deno.test(`10 000 flows to ${address}: even shares, none moves when another pod leaves, and a newcomer gets its share`, async () => {
    await setUp();
    const [driver, to] = [openRoutes(), addressOf(address)];
    await driver.apply([routeTo(address, 1, 2, 3)]);
    const three = await flowsOf(to);
    assertEven(three, 3);

    await driver.apply([routeTo(address, 1, 2)]);
    const two = await flowsOf(to);
    assertEquals([moved(three[0], two[0]), moved(three[1], two[1]), two[2]?.size], [0, 0, 0]);
    assertEven(two, 2);

    await driver.apply([routeTo(address, 1, 2, 3)]);
    const first = await flowsOf(to);
    assertEquals([moved(two[0], first[0]), moved(two[1], first[1])], [0, 0], "none that is alive moves at once");
    const again = await flowsUntil(to, (shares) => shares[2]?.size !== 0);
    assertEven(again, 3);

    await bench.ip("link", "del", linkOf(2)); // killed, and nobody told the driver
    const left = await flowsOf(to);
    assertEquals([moved(again[0], left[0]), moved(again[2], left[2]), left[1]?.size], [0, 0, 0]);
    assertEven(left, 2);

    await driver.apply([routeTo(address, 1)]);
    const one = await flowsOf(to);
    await driver.apply([routeTo(address, 1, 3)]);
    const pair = await flowsOf(to);
    assertEquals(
      [moved(left[0], one[0]), moved(one[0], pair[0])],
      [0, 0],
      "the second pod gets none that is alive either",
    );
    assertEven(await flowsUntil(to, (shares) => shares[2]?.size !== 0), 2);
    await driver.apply([]);
    await driver.close();
    await sh(`ip link del client0; for pod in ${linkOf(1)} ${linkOf(2)} ${linkOf(3)}; do ip netns del $pod; done`);
    while ((await sh("ip -br link")).includes("flock")) await new Promise((resolve) => setTimeout(resolve, 10));
  });
}
