/** The guard between a node and a stock pod in a namespace of its own; run by guarded_pod_linux_test.ts. */
import { assert, assertEquals, assertGreater, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { FrameSender, type Packet, withChecksum } from "../../tests/lab/raw_frames.ts";
import { until } from "../../tests/lab/until.ts";
import { type CommandRunner, expectSuccess } from "../exec/command_runner.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { type Address, parseAddress, parsePrefix } from "../ip/address.ts";
import { NFT, SYSCTL_DIR } from "../paths/paths.ts";
import type { GuardState, PacketGuard, SourceGrant } from "./packet_guard.ts";
import { createPacketGuard } from "./system_packet_guard.ts";
import { expectOwnNamespace } from "../../tests/lab/in_namespace.ts";

expectOwnNamespace();

const POD = "flock0000000a";
const NODE_MAC = "02:00:00:00:00:0a";
const system = createSystemRunner();
const linesSent: string[] = [];
const runner: CommandRunner = {
  run: (argv, options) => system.run(argv, options),
  converse: (protocol) => {
    const conversation = system.converse(protocol);
    return {
      send: (lines) => {
        linesSent.push(...lines);
        return conversation.send(lines);
      },
      close: () => conversation.close(),
    };
  },
};

async function sh(command: string): Promise<string> {
  const argv = ["/bin/sh", "-c", `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${command}`] as const;
  return expectSuccess(argv, await system.run(argv, { timeoutMs: 20_000 })).stdout;
}

function ip(text: string): Address {
  const address = parseAddress(text);
  assert(address, text);
  return address;
}

const grant = (address: string): SourceGrant => ({ link: POD, address: ip(address) });
const prefixes = (...texts: string[]): GuardState["podPrefixes"] => texts.flatMap((text) => parsePrefix(text) ?? []);
const STATE: GuardState = {
  grants: [grant("10.0.0.1"), grant("2001:db8:f::1")],
  podPrefixes: prefixes("10.0.0.0/24", "2001:db8:f::/64"),
};

/**
 * A pod as any distribution's image makes it: it does DAD, has a link-local address, resolves its neighbours, and they it; its other
 * end `far` belongs to a hostile one. The witness counts what the node's TCP answers.
 */
async function withPod(test: (guard: PacketGuard) => Promise<void>): Promise<void> {
  const guard = createPacketGuard({ runner, nft: NFT });
  await guard.replace(STATE);
  await sh(`
    ip netns add pod; ip address replace 169.254.1.1/32 dev lo scope host; ip address replace 192.0.2.9/32 dev lo; ip -6 address replace 2001:db8::9/128 dev lo nodad
    ip link add ${POD} address ${NODE_MAC} type veth peer name eth0 netns pod
    ip link set ${POD} addrgenmode none up; ip -6 address add fe80::1/64 dev ${POD} nodad
    ip route add 10.0.0.1/32 dev ${POD}; ip -6 route add 2001:db8:f::1/128 dev ${POD}
    ip -n pod link set lo up; ip -n pod address add 10.0.0.1/32 dev eth0; ip -n pod -6 address add 2001:db8:f::1/128 dev eth0
    ip -n pod link set eth0 up; ip -n pod route add default via 169.254.1.1 dev eth0 onlink
    ip -n pod -6 route add default via fe80::1 dev eth0
    ip link add flock0000000b address ${NODE_MAC} type veth peer name far; ip link set far addrgenmode none up
    ip link set flock0000000b addrgenmode none up; ip -6 neigh add 2001:db8:f::b lladdr 02:00:00:00:00:99 dev flock0000000b
    ip -6 route add 2001:db8:f::b/128 dev flock0000000b
    nft 'table inet witness { counter answered { }; chain out { type filter hook output priority 0; meta l4proto tcp counter name answered; }; }'`);
  try {
    await test(guard);
  } finally {
    await guard.close();
    await sh(`ip netns del pod; ip link del flock0000000b; nft delete table inet witness; ip link del ${POD} || true`);
  }
}

async function packetsOf(table: string, counter: string): Promise<number> {
  const text = await sh(`nft list counter ${table} ${counter}`);
  return Number(/packets (\d+)/.exec(text)?.[1]);
}

Deno.test("a stock pod passes DAD, finds its next hop and is found, in both families", () =>
  withPod(async () => {
    await until("DAD is over", async () => (await sh("ip -n pod -6 address show dev eth0 tentative")) === "");
    assertEquals(await sh("ip -n pod -6 address show dev eth0 dadfailed"), "");
    for (const node of ["169.254.1.1", "2001:db8::9"]) await sh(`ip netns exec pod ping -n -c1 -W2 ${node}`);
    await sh(`ip neigh flush dev ${POD}; ip -6 neigh flush dev ${POD}; ip -n pod -6 neigh flush dev eth0`);
    for (const pod of ["10.0.0.1", "2001:db8:f::1"]) await sh(`ping -n -c1 -W2 ${pod}`);
    const neighbors = await sh(`ip neigh show dev ${POD}; ip -n pod neigh show dev eth0`);
    for (const text of ["10.0.0.1 ", "2001:db8:f::1 ", "fe80::1 "]) assertStringIncludes(neighbors, text);
  }));

Deno.test("replace() under running pings loses none, in both families", () =>
  withPod(async (guard) => {
    await until("DAD is over", async () => (await sh("ip -n pod -6 address show dev eth0 tentative")) === "");
    let pinging = true;
    const pings = Promise.all(
      ["169.254.1.1", "2001:db8::9"].map((node) => sh(`ip netns exec pod ping -n -q -i 0.005 -c 150 -W 2 ${node}`)),
    ).finally(() => (pinging = false));
    let replaced = 0;
    for (; pinging; replaced++) {
      await guard.replace({ ...STATE, podPrefixes: replaced % 2 === 0 ? [] : STATE.podPrefixes });
    }
    for (const report of await pings) assertStringIncludes(report, "150 received, 0% packet loss");
    assertGreater(replaced, 3);
  }));

Deno.test("the guard leaves connection tracking off; one ct expression anywhere would turn it on", () =>
  withPod(async () => {
    const tracked = async (): Promise<number> => {
      await sh("ip netns exec pod ping -n -c1 -W2 169.254.1.1");
      return Number(await Deno.readTextFile(`${SYSCTL_DIR}/netfilter/nf_conntrack_count`));
    };
    assertEquals(await tracked(), 0);
    await sh("nft 'table inet tracking { chain nobody { ct state established accept; }; }'");
    assertGreater(await tracked(), 0);
    await sh("nft delete table inet tracking");
  }));

const FAR = ip("2001:db8:f::b");
const NODE = ip("2001:db8::9");

/** A SYN with data to a port of the node (RFC 9293, 3.1), checksum and all: a node that hears it answers, if only by a reset. */
function syn(port: number): Packet {
  const header = [0x80, 1, port >> 8, port & 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0];
  const body = [...header, ...new Array<number>(12).fill(0)];
  return withChecksum({ from: FAR, to: NODE, protocol: 6, body: new Uint8Array(body) }, 16);
}

const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;

/** Cuts what follows the IPv6 header in two (RFC 8200, 4.5). @param at multiple of 8 */
function fragments(packet: Packet, at: number): Packet[] {
  const header = (offset: number, more: number): number[] => {
    const place = offset | more;
    return [packet.protocol, 0, place >> 8, place & 0xff, 0, 0, 0, at];
  };
  const body = [...packet.body];
  return [[...header(0, 1), ...body.slice(0, at)], [...header(at, 0), ...body.slice(at)]]
    .map((piece) => ({ ...packet, protocol: FRAGMENT, body: new Uint8Array(piece) }));
}

/** Puts a header of destination options (RFC 8200, 4.6), all padding, of `size` bytes before what the packet carries. */
function behindOptions(packet: Packet, size: number): Packet {
  const options = [packet.protocol, size / 8 - 1, 1, size - 4, ...new Array<number>(size - 4).fill(0)];
  return { ...packet, protocol: DESTINATION_OPTIONS, body: new Uint8Array([...options, ...packet.body]) };
}

Deno.test("no header and no fragment hides a port of BGP", () =>
  withPod(async (guard) => {
    await guard.grant([{ link: "flock0000000b", address: FAR }]);
    using sender = new FrameSender("far");
    const answers = async (packets: readonly Packet[]): Promise<number> => {
      const before = await packetsOf("inet witness", "answered");
      for (const packet of packets) sender.send(packet, NODE_MAC);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return await packetsOf("inet witness", "answered") - before;
    };
    const disguises: [name: string, disguise: (packet: Packet) => Packet[], heard: number][] = [
      ["plain", (packet) => [packet], 1],
      ["behind options", (packet) => [behindOptions(packet, 8)], 1],
      ["in fragments", (packet) => fragments(packet, 24), 1],
      ["behind options, in fragments", (packet) => fragments(behindOptions(packet, 8), 32), 1],
      // A first fragment that ends before TCP's header does is refused by the kernel itself (RFC 8200, 4.5).
      ["the header cut after the ports", (packet) => fragments(packet, 8), 0],
      ["options alone in the first fragment", (packet) => fragments(behindOptions(packet, 8), 8), 0],
    ];
    for (const [name, disguise, heard] of disguises) {
      assertEquals(await answers(disguise(syn(80))), heard, `port 80, ${name}`);
      assertEquals(await answers(disguise(syn(179))), 0, `port 179, ${name}`);
    }
  }));

Deno.test("no header hides a router advertisement or a redirect", () =>
  withPod(async (guard) => {
    await guard.grant([{ link: "flock0000000b", address: FAR }]);
    using sender = new FrameSender("far");
    for (const [type, counter] of [[134, "router_advert"], [137, "icmp_redirect"]] as const) {
      const body = new Uint8Array([type, ...new Array<number>(47).fill(0)]);
      const plain = withChecksum({ from: FAR, to: NODE, protocol: 58, body, hopLimit: 255 });
      const [first = plain] = fragments(plain, 24);
      for (const packet of [plain, behindOptions(plain, 8), behindOptions(behindOptions(plain, 16), 8), first]) {
        const before = await packetsOf("inet flock", counter);
        sender.send(packet, NODE_MAC);
        await new Promise((resolve) => setTimeout(resolve, 5));
        assertEquals(
          await packetsOf("inet flock", counter) - before,
          1,
          `type ${type}, first header ${packet.protocol}`,
        );
      }
    }
  }));

/** The whole of IPv4, as the limit on entries is: address and link of each. */
async function neighbors4(): Promise<string[]> {
  const list = await sh("ip -4 neigh show nud all");
  return [...list.matchAll(/^(\S+) dev (\S+)/gm)].map(([, address, link]) => `${address} ${link}`).toSorted();
}

const GATEWAY = ip("169.254.1.1");
const FOR_ARP =
  "table arp witness { counter answered { }; chain out { type filter hook output priority 0; arp operation reply counter name answered; }; }";

Deno.test("made-up senders of ARP fill no neighbour table, and who asks from its own address is answered", () =>
  withPod(async (guard) => {
    const own = { link: "flock0000000b", address: ip("10.0.0.11") };
    await guard.grant([own]);
    await sh(`ip route add 10.0.0.11/32 dev ${own.link}; nft '${FOR_ARP}'`);
    using sender = new FrameSender("far");
    const ask = async (...senders: string[]): Promise<number> => {
      const before = await packetsOf("arp witness", "answered");
      for (const [i, from] of senders.entries()) {
        sender.sendArp({ from: ip(from), target: GATEWAY });
        if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
      return await packetsOf("arp witness", "answered") - before;
    };
    const before = await neighbors4();
    const flood = Array.from({ length: 3000 }, (_, i) => `10.7.${i >> 8}.${i & 0xff}`);
    assertEquals(await ask(...flood, "10.0.0.1", "169.254.1.1"), 0);
    assertEquals(await ask("0.0.0.0"), 1);
    assertEquals(await neighbors4(), before);
    assertGreater(await packetsOf("arp flock", "spoofed_arp"), 2900);

    assertEquals(await ask("10.0.0.11"), 1);
    assertEquals(await neighbors4(), [...before, "10.0.0.11 flock0000000b"].toSorted());
    await sh("ip -n pod neigh flush dev eth0; ip netns exec pod ping -n -c1 -W2 169.254.1.1");

    // What the flood does without the guard: the frames are such as the kernel takes.
    await sh("nft delete table arp flock");
    assertEquals(await ask(...flood.slice(0, 20)), 20);
    assertEquals((await neighbors4()).filter((entry) => entry.startsWith("10.7.")).length, 20);
    await sh("nft delete table arp witness");
  }));

Deno.test("grants made at the same time share transactions; one that is refused spoils no other", () =>
  withPod(async (guard) => {
    const many = Array.from({ length: 200 }, (_, i) => grant(`2001:db8:f::1:${i.toString(16)}`));
    linesSent.length = 0;
    await Promise.all(many.map((each) => guard.grant([each])));
    assertLess(linesSent.length, 3);
    assertEquals(await guard.drift({ ...STATE, grants: [...STATE.grants, ...many] }), []);
    const good = guard.grant([grant("10.0.0.2")]);
    await assertRejects(() => guard.grant([{ link: "eth0", address: FAR }]), Error, "must be flock and 8 hex digits");
    await good;
    // In one batch the last call wins, as it would had each been a transaction of its own.
    await Promise.all([guard.revoke([grant("10.0.0.2")]), guard.grant([grant("10.0.0.2")])]);
    await Promise.all([guard.revoke(many), guard.revoke(many)]);
    assertEquals(await guard.drift({ ...STATE, grants: [...STATE.grants, grant("10.0.0.2")] }), []);
  }));

Deno.test("nft lists prefixes as they were given, adjacent and extreme ones too", () =>
  withPod(async (guard) => {
    for (
      const podPrefixes of [
        prefixes("10.0.0.0/25", "10.0.0.128/25", "10.0.1.0/32", "2001:db8::/64", "2001:db8:0:1::/64"),
        prefixes("0.0.0.0/8", "255.255.255.0/24", "::/128", "ffff::/16"),
        prefixes("0.0.0.0/0", "::/0", "10.0.0.0/8", "2001:db8::/32"),
        [],
      ]
    ) {
      await guard.replace({ ...STATE, podPrefixes });
      assertEquals(await guard.drift({ ...STATE, podPrefixes }), []);
    }
  }));

Deno.test("nft refuses nested prefixes, which is why compileGuard() leaves the inner ones out", async () => {
  const path = new URL("testdata/refused_nested.nft", import.meta.url).pathname;
  const { code, stderr } = await system.run([NFT, "-c", "-f", path]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "conflicting intervals specified");
});
