/** The guard on a real kernel, with real packets; run by packet_guard_linux_test.ts in a namespace of its own. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { FrameSender, type Packet } from "../../tests/lab/raw_frames.ts";
import { expectSuccess } from "../exec/command_runner.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { type Address, parseAddress, parsePrefix, type Prefix } from "../ip/address.ts";
import { NFT } from "../paths/paths.ts";
import type { GuardState, PacketGuard, SourceGrant } from "./packet_guard.ts";
import { createPacketGuard } from "./system_packet_guard.ts";
import { expectOwnNamespace } from "../../tests/lab/in_namespace.ts";

expectOwnNamespace();

const POD = "flock00000001";
const OTHER = "flock00000002";
const MAC = "02:00:00:00:00:01";
const runner = createSystemRunner();

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

const grant = (link: string, address: string): SourceGrant => ({ link, address: ip(address) });
const STATE: GuardState = {
  grants: [grant(POD, "10.0.0.1"), grant(POD, "2001:db8:f::1"), grant(OTHER, "10.0.0.2")],
  podPrefixes: prefixes("10.0.0.0/16", "10.0.1.0/24", "2001:db8:f::/48", "2001:db8:f::/64", "2001:db8:f::7/128"),
};

/**
 * A pod's link whose far end stays here, an uplink likewise, and a table that sees what the guard lets pass. No link has a
 * link-local address, so that the kernel sends nothing of its own.
 */
async function withGuard(test: (guard: PacketGuard) => Promise<void>): Promise<void> {
  await sh(`
    for pair in "${POD} pod" "${OTHER} pod2" "up0 up1"; do
      set -- $pair; ip link show "$1" >/dev/null 2>&1 || ip link add "$1" address ${MAC} type veth peer name "$2"
      ip link set "$1" addrgenmode none; ip link set "$2" addrgenmode none; ip link set "$1" up; ip link set "$2" up; echo 0 >/run/flock/sys/ipv4/conf/$1/rp_filter
    done
    echo 0 >/run/flock/sys/ipv4/conf/all/rp_filter
    ip address replace 192.0.2.9/32 dev lo; ip -6 address replace 2001:db8::9/128 dev lo nodad
    for to in "10.0.0.1 ${POD}" "2001:db8:f::1 ${POD}" "10.0.0.0/16 up0" "198.51.100.0/24 up0"; do
      set -- $to; ip route replace $1 dev $2
    done
    nft -f - <<X
table inet witness
delete table inet witness
table inet witness {
  counter passed { }
  counter arrived { }
  chain pre { type filter hook prerouting priority -300; iifname { ${POD}, ${OTHER}, up0 } counter name passed; }
  chain in { type filter hook input priority 50; iifname { ${POD}, ${OTHER}, up0 } counter name arrived; }
}
X`);
  const guard = createPacketGuard({ runner, nft: NFT });
  try {
    await guard.replace(STATE);
    await test(guard);
  } finally {
    await guard.close();
  }
}

/** counter -> packets, of the guard and the witness. */
async function counters(): Promise<Record<string, number>> {
  const lists = [await sh("nft list counters table inet flock"), await sh("nft list counters table inet witness")];
  const found = lists.join("").matchAll(/counter (\w+) \{\s+packets (\d+)/g);
  return Object.fromEntries([...found].map(([, name, packets]) => [name, Number(packets)]));
}

/** @returns the counters that the packet moved, in alphabetical order */
async function moved(packet: Packet, far = "pod"): Promise<string[]> {
  const before = await counters();
  using sender = new FrameSender(far);
  sender.send(packet, MAC);
  await new Promise((resolve) => setTimeout(resolve, 5));
  const after = await counters();
  return Object.keys(after).filter((name) => after[name] !== before[name]).toSorted();
}

function packet(
  from: string,
  protocol: number,
  body: number[],
  extra: { to?: string; hopLimit?: number } = {},
): Packet {
  const source = ip(from);
  const to = ip(extra.to ?? (source.family === 4 ? "192.0.2.9" : "2001:db8::9"));
  return { from: source, to, protocol, body: new Uint8Array(body), hopLimit: extra.hopLimit ?? 64 };
}

const ports = (port: number): number[] => [0x80, 1, port >> 8, port & 0xff, ...new Array<number>(16).fill(0)];
const tcp = (from: string, port: number): Packet => packet(from, 6, ports(port));
const udp = (from: string, port: number): Packet => packet(from, 17, ports(port));
const icmp6 = (from: string, type: number, hopLimit = 255): Packet =>
  packet(from, 58, [type, 0, ...new Array<number>(22).fill(0)], { to: "ff02::1", hopLimit });

Deno.test("a pod sends from its own addresses, and from no other", () =>
  withGuard(async () => {
    assertEquals(await moved(udp("10.0.0.1", 53)), ["arrived", "passed"]);
    assertEquals(await moved(udp("2001:db8:f::1", 53)), ["arrived", "passed"]);
    for (const from of ["10.0.0.2", "192.0.2.9", "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "8.8.8.8"]) {
      assertEquals(await moved(udp(from, 53)), ["spoofed4"], from);
    }
    for (const from of ["2001:db8:f::2", "2001:db8::9", "::ffff:10.0.0.1", "fd00::1"]) {
      assertEquals(await moved(udp(from, 53)), ["spoofed6"], from);
    }
    // These the kernel itself drops, before any hook.
    for (const from of ["::1", "ff02::1"]) assertEquals(await moved(udp(from, 53)), [], from);
    assertEquals(await moved(udp("10.0.0.1", 53), "pod2"), ["spoofed4"]);
    assertEquals(await moved(udp("10.0.0.2", 53), "pod2"), ["arrived", "passed"]);
  }));

Deno.test("router advertisements and redirects from pods are dropped, whatever the source", () =>
  withGuard(async () => {
    for (const from of ["fe80::1", "2001:db8:f::1", "::"]) {
      assertEquals(await moved(icmp6(from, 134)), ["router_advert"], from);
      assertEquals(await moved(icmp6(from, 137)), ["icmp_redirect"], from);
    }
    assertEquals(await moved(packet("10.0.0.1", 1, [5, 1, 0, 0, 0, 0, 0, 0])), ["icmp_redirect"]);
    assertEquals(await moved(packet("10.0.0.1", 1, [8, 0, 0, 0, 0, 0, 0, 0])), ["arrived", "passed"]);
  }));

Deno.test("from link-local addresses pods do neighbour discovery on their link and nothing else", () =>
  withGuard(async () => {
    for (const from of ["fe80::5", "::"]) {
      assert((await moved(icmp6(from, 135))).includes("passed"), from);
      assertEquals(await moved(icmp6(from, 135, 64)), ["link_local"], from);
      assertEquals(await moved(icmp6(from, 133)), ["link_local"], from);
      assertEquals(await moved(icmp6(from, 143, 1)), ["link_local"], from);
      assertEquals(await moved(udp(from, 53)), ["link_local"], from);
    }
  }));

Deno.test("made-up neighbours are let through at a low rate only, for each link on its own", () =>
  withGuard(async () => {
    const before = await counters();
    using sender = new FrameSender("pod");
    for (let i = 0; i < 500; i++) sender.send(icmp6(`fe80::${(i + 16).toString(16)}`, 135), MAC);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const after = await counters();
    assert((after["passed"] ?? 0) - (before["passed"] ?? 0) < 60, "passed");
    assert((after["link_local"] ?? 0) - (before["link_local"] ?? 0) > 440, "link_local");
    assert((await moved(icmp6("fe80::5", 135), "pod2")).includes("passed"));
  }));

Deno.test("no pod reaches BGP or BFD on the node, from its link or from another node's", () =>
  withGuard(async () => {
    for (const from of ["10.0.0.1", "2001:db8:f::1"]) {
      assertEquals(await moved(tcp(from, 179)), ["node_bgp", "passed"]);
      for (const port of [3784, 3785, 4784]) assertEquals(await moved(udp(from, port)), ["node_bfd", "passed"]);
      for (const port of [178, 180, 22]) assertEquals(await moved(tcp(from, port)), ["arrived", "passed"]);
    }
    for (const from of ["10.0.7.7", "10.0.1.1", "2001:db8:f:9::1"]) {
      assertEquals(await moved(tcp(from, 179), "up1"), ["node_bgp", "passed"], from);
      assertEquals(await moved(tcp(from, 80), "up1"), ["arrived", "passed"], from);
    }
    for (const from of ["198.51.100.1", "2001:db8:1::1"]) {
      assertEquals(await moved(tcp(from, 179), "up1"), ["arrived", "passed"], from);
    }
  }));

Deno.test("grant() and revoke() take effect at once, twice without harm, many in one transaction", () =>
  withGuard(async (guard) => {
    const anycast = [grant(POD, "10.9.9.9"), grant(POD, "2001:db8:f::99")];
    assertEquals(await moved(udp("10.9.9.9", 53)), ["spoofed4"]);
    await Promise.all([guard.grant(anycast), guard.grant(anycast)]);
    assertEquals(await moved(udp("10.9.9.9", 53)), ["arrived", "passed"]);
    await guard.revoke(anycast);
    await guard.revoke([...anycast, grant(OTHER, "10.1.1.1")]);
    assertEquals(await moved(udp("10.9.9.9", 53)), ["spoofed4"]);
    assertEquals(await guard.drift(STATE), []);
  }));

Deno.test("drift() names every change, and replace() mends it", () =>
  withGuard(async (guard) => {
    const rule = (await sh("nft -a list chain inet flock from_pod")).match(/spoofed6.*handle (\d+)/)?.[1];
    const damages: [command: string, phrase: RegExp][] = [
      [`delete element inet flock own4 { ${POD} . 10.0.0.1 }`, /^set inet own4 lacks "flock00000001" \. 10\.0\.0\.1$/],
      [`delete element arp flock own4 { ${POD} . 10.0.0.1 }`, /^set arp own4 lacks "flock00000001" \. 10\.0\.0\.1$/],
      [
        `add element inet flock own6 { ${POD} . 2001:db8::5 }`,
        /^set inet own6 holds "flock00000001" \. 2001:db8::5, not ours$/,
      ],
      ["add element inet flock pods4 { 172.16.0.0/12 }", /^set inet pods4 holds 172\.16\.0\.0\/12, not ours$/],
      [
        `delete rule inet flock from_pod handle ${rule}`,
        new RegExp(`^rule ${rule} of chain inet from_pod is missing$`),
      ],
      ["flush chain inet flock node_port", /^rule \d+ of chain inet node_port is missing$/],
      ["flush chain arp flock from_pod", /^rule \d+ of chain arp from_pod is missing$/],
      ["add chain arp flock input { policy drop; }", /^chain arp input was changed$/],
      ["insert rule inet flock prerouting accept", /^rule \d+ of chain inet prerouting is not ours$/],
      ["add chain inet flock extra", /^chain inet extra is not ours$/],
      ["add chain inet flock input { policy drop; }", /^chain inet input was changed$/],
      // nft 1.0.6 writes whatever memory holds for the flag, or breaks off.
      ["add table inet flock { flags dormant; }", /^table inet flock was changed$|^the tables flock are unreadable/],
    ];
    for (const [command, phrase] of damages) {
      assertEquals(await guard.drift(STATE), [], `before ${command}`);
      await sh(`nft '${command}'`);
      const found = await guard.drift(STATE);
      assert(found?.some((text) => phrase.test(text)), `${command}: ${JSON.stringify(found)}`);
      await guard.replace(STATE);
    }
    assertEquals(await guard.drift(STATE), []);
  }));

Deno.test("check() of one pod's grants names what of the tables is damaged, and nothing of other pods", () =>
  withGuard(async (guard) => {
    const own = STATE.grants.slice(0, 2);
    assertEquals(await guard.check(own), []);
    const damages: [command: string, phrase: RegExp][] = [
      ["flush chain inet flock from_pod", /^rule \d+ of chain inet from_pod is missing$/],
      ["insert rule inet flock prerouting accept", /^rule \d+ of chain inet prerouting is not ours$/],
      [`delete element arp flock own4 { ${POD} . 10.0.0.1 }`, /^set arp own4 lacks "flock00000001" \. 10\.0\.0\.1$/],
      ["delete table arp flock", /^table inet flock or table arp flock is missing$/],
    ];
    for (const [command, phrase] of damages) {
      await sh(`nft '${command}'`);
      const found = await guard.check(own);
      assert(found.some((text) => phrase.test(text)), `${command}: ${JSON.stringify(found)}`);
      await guard.replace(STATE);
    }
    await sh(`nft 'delete element inet flock own4 { ${OTHER} . 10.0.0.2 }'`);
    assertEquals(await guard.check(own), []);
  }));

Deno.test("a table that others took away is noticed by drift() and grant(), and replace() brings it back (T-REL-51)", () =>
  withGuard(async (guard) => {
    await guard.grant([grant(POD, "10.0.0.5")]);
    for (const command of ["delete table inet flock", "delete table arp flock", "flush ruleset"]) {
      await sh(`nft ${command}`);
      assertEquals(await guard.drift(STATE), undefined);
      await assertRejects(() => guard.grant([grant(POD, "10.0.0.5")]), Error, "No such file or directory");
      await guard.replace(STATE);
      await guard.grant([grant(POD, "10.0.0.5")]);
      await guard.revoke([grant(POD, "10.0.0.5")]);
      assertEquals(await guard.drift(STATE), []);
    }
  }));

Deno.test("replace() loses no packet of a pod, lets no spoofed one pass, and leaves other tables alone", () =>
  withGuard(async (guard) => {
    await sh("nft add table inet foreign; nft add chain inet foreign c");
    const before = await counters();
    using sender = new FrameSender("pod");
    let replacing = true;
    const replaced = (async () => {
      for (let i = 0; i < 20; i++) await guard.replace(STATE);
      replacing = false;
    })();
    let sent = 0;
    while (replacing) {
      sender.send(udp("10.0.0.1", 53), MAC);
      sender.send(udp("10.0.0.66", 53), MAC);
      if (++sent % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await replaced;
    await new Promise((resolve) => setTimeout(resolve, 20));
    const after = await counters();
    assert(sent > 100, `${sent} packets`);
    assertEquals((after["passed"] ?? 0) - (before["passed"] ?? 0), sent);
    assertEquals(await sh("nft list table inet foreign"), "table inet foreign {\n\tchain c {\n\t}\n}\n");
    await sh("nft delete table inet foreign");
  }));

Deno.test("the table turns connection tracking on for nobody", () =>
  withGuard(async () => {
    await moved(udp("10.0.0.1", 53));
    assertEquals((await sh("nft list table inet flock")).match(/\bct\b/), null);
  }));

Deno.test("a guard of 250 dual-stack pods holds, and nft leaves no history behind", () =>
  withGuard(async (guard) => {
    const link = (i: number): string => `flock${i.toString(16).padStart(8, "0")}`;
    const grants = Array.from({ length: 250 }, (_, i) => [
      grant(link(i), `10.0.2.${i}`),
      grant(link(i), `2001:db8:f::2:${i.toString(16)}`),
    ]).flat();
    await guard.replace({ ...STATE, grants });
    assertEquals(await guard.drift({ ...STATE, grants }), []);
    await guard.revoke(grants);
    await guard.grant(grants.slice(0, 2));
    assertEquals(await guard.drift({ ...STATE, grants: grants.slice(0, 2) }), []);
    await guard.close();
    assertEquals(await sh("ls -a / | grep -c nft.history || true"), "0\n");
  }));

Deno.test("nft takes the golden tables", async () => {
  for (const name of ["full", "empty"]) {
    await sh(`nft -c -f ${new URL(`testdata/${name}.nft`, import.meta.url).pathname}`);
  }
});
