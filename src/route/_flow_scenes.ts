/** What becomes of flows to two pods behind one address, with real packets; run by system_route_driver_linux_test.ts. */
import { assert, assertEquals } from "@std/assert";
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
const DNS6 = "2001:db8:a::53";
const DNS4 = "192.0.2.53";
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

/** Source ports of the flows to each address. */
const FLOWS_TO: readonly (readonly [address: string, firstPort: number])[] = [[DNS4, 1024], [DNS6, 20_000]];

/** Flows, by source port, that a pod saw since the last time. */
async function seenBy(pod: number): Promise<Set<number>> {
  const listing = await sh(`ip netns exec ${linkOf(pod)} nft -j list set inet seen ports
    ip netns exec ${linkOf(pod)} nft flush set inet seen ports`);
  const { nftables } = JSON.parse(listing);
  const elements: unknown = nftables.at(-1).set.elem ?? [];
  assert(Array.isArray(elements));
  return new Set(elements.map(Number));
}

/** For each pod the flows to one address that it got. */
type Shares = readonly ReadonlySet<number>[];

/** One packet of each flow. @returns the shares of each address; no flow is lost */
async function flows(): Promise<readonly Shares[]> {
  using sender = new FrameSender("client1");
  for (const [address, first] of FLOWS_TO) {
    const to = addressOf(address);
    const from = addressOf(to.family === 4 ? "198.51.100.9" : "2001:db8:c::9");
    for (let port = first; port < first + FLOWS; port++) {
      const body = new Uint8Array([port >> 8, port & 0xff, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4]);
      sender.send({ from, to, protocol: 17, body }, MAC);
    }
  }
  const seen = await Promise.all([1, 2, 3].map(seenBy));
  return FLOWS_TO.map(([address, first]) => {
    const shares = seen.map((ports) => new Set([...ports].filter((port) => port >= first && port < first + FLOWS)));
    assertEquals(shares.reduce((sum, { size }) => sum + size, 0), FLOWS, `each flow to ${address} reaches one pod`);
    return shares;
  });
}

/** @returns the first shares of so many pods that are even, while all flows stay alive; the last ones when none are in time */
async function flowsOnceEven(pods: number): Promise<readonly Shares[]> {
  const deadline = performance.now() + (UNBALANCED_S + 5) * 1000;
  for (;;) {
    const all = await flows();
    if (all.every((shares) => isEven(shares, pods)) || performance.now() > deadline) return all;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Within 10 %. */
function isEven(shares: Shares, pods: number): boolean {
  const used = shares.map(({ size }) => size).filter((size) => size > 0);
  return used.length === pods && used.every((size) => Math.abs(size - FLOWS / pods) < FLOWS / pods / 10);
}

function assertEven(all: readonly Shares[], pods: number): void {
  assert(
    all.every((shares) => isEven(shares, pods)),
    JSON.stringify(all.map((shares) => shares.map(({ size }) => size))),
  );
}

/** Those of these pods that lost flows, of whatever address. */
function losers(
  before: readonly Shares[],
  { now, pods }: { now: readonly Shares[]; pods: readonly number[] },
): number[] {
  return pods.filter((pod) =>
    before.some((shares, index) => shares[pod - 1]?.isSubsetOf(now[index]?.[pod - 1] ?? new Set()) !== true)
  );
}

Deno.test("10 000 flows to an address: even shares, none moves when another pod leaves or comes, and a newcomer gets its share", async () => {
  await setUp();
  const driver = openRoutes();
  const lead = (...pods: readonly number[]): Promise<unknown> =>
    driver.apply([routeTo(DNS4, ...pods), routeTo(DNS6, ...pods)]);
  await lead(1, 2, 3);
  const three = await flows();
  assertEven(three, 3);

  await lead(1, 2);
  const two = await flows();
  assertEven(two, 2);
  assertEquals(losers(three, { now: two, pods: [1, 2] }), []);

  await lead(1, 2, 3);
  assertEquals(losers(two, { now: await flows(), pods: [1, 2] }), [], "a newcomer takes none that is alive at once");
  const again = await flowsOnceEven(3);
  assertEven(again, 3);

  await bench.ip("link", "del", linkOf(2)); // killed, and nobody told the driver
  const left = await flows();
  assertEven(left, 2);
  assertEquals(losers(again, { now: left, pods: [1, 3] }), []);

  await lead(1);
  const one = await flows();
  assertEquals(losers(left, { now: one, pods: [1] }), []);
  await lead(1, 3);
  assertEquals(losers(one, { now: await flows(), pods: [1] }), [], "nor does the second of two");
  assertEven(await flowsOnceEven(2), 2);
  await driver.close();
});
