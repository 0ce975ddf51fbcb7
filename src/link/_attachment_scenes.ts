/** The attachment driver on a real kernel; run by attachment_driver_linux_test.ts in a namespace of its own. */
import { POD_ROUTE_METRIC, ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { type CommandRunner, expectSuccess } from "../exec/command_runner.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { netnsAt } from "../host/netns_at.ts";
import { hostLinkName, podMacOf } from "../hash/container_hash.ts";
import { parseAddress } from "../ip/address.ts";
import { IP, SYSCTL_DIR } from "../paths/paths.ts";
import { createSysctlTree } from "../sysctl/sysctl_tree.ts";
import { AttachFailed, type Attachment, type AttachmentDriver } from "./attachment_driver.ts";
import { createAttachmentDriver } from "./system_attachment_driver.ts";
import { expectOwnNamespace } from "../../tests/lab/in_namespace.ts";

expectOwnNamespace();

const system = createSystemRunner();
let spawns = 0;
let deletions = 0;
/** What others do while the driver works. */
let afterRun: (argv: readonly string[]) => Promise<void> = async () => {};
const runner: CommandRunner = {
  run: async (argv, options) => {
    spawns++;
    const result = await system.run(argv, options);
    await afterRun(argv);
    return result;
  },
  converse: (protocol) => {
    const conversation = system.converse(protocol);
    return {
      send: (lines) => {
        deletions += lines.filter((line) => line.startsWith("link del ")).length;
        return conversation.send(lines);
      },
      close: () => conversation.close(),
    };
  },
};

async function sh(command: string): Promise<string> {
  const argv = ["/bin/sh", "-c", `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${command}`] as const;
  return expectSuccess(argv, await system.run(argv)).stdout;
}

async function withDriver(test: (driver: AttachmentDriver) => Promise<void>): Promise<void> {
  const sysctls = createSysctlTree(SYSCTL_DIR);
  const driver = createAttachmentDriver({ runner, ip: IP, sysctls, nodePid: Deno.pid, netnsAt });
  try {
    await test(driver);
  } finally {
    await driver.close();
  }
}

async function pod(id: string, number: number): Promise<Attachment> {
  await sh(`ip netns add ${id}`);
  const addresses = [`2001:db8:f::${number.toString(16)}`, `203.0.113.${number}`].flatMap((text) =>
    parseAddress(text) ?? []
  );
  return {
    containerId: id,
    ifname: "eth0",
    netns: `/run/netns/${id}`,
    hostLink: hostLinkName(id),
    podMac: podMacOf(id),
    mtu: 9000,
    addresses,
  };
}

async function fault(attempt: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => attempt, AttachFailed)).fault;
}

Deno.test("attach() makes both families answer at once, both ways, with the MTU asked for", async () => {
  await sh(
    "ip address replace 169.254.1.1/32 dev lo scope host; ip address replace 192.0.2.9/32 dev lo; ip -6 address replace 2001:db8::9/128 dev lo nodad",
  );
  await sh(`echo 1 >${SYSCTL_DIR}/ipv4/ip_forward; echo 1 >${SYSCTL_DIR}/ipv6/conf/all/forwarding`);
  await withDriver(async (driver) => {
    const one = await pod("one", 1);
    spawns = 0;
    await driver.attach(one);
    assertEquals(spawns, 1);
    await sh("ping -c1 -W1 -M do -s 8972 203.0.113.1 && ping -c1 -W1 -M do -s 8952 2001:db8:f::1");
    await sh("ip netns exec one ping -c1 -W1 192.0.2.9 && ip netns exec one ping -c1 -W1 2001:db8::9");
    assertEquals(await driver.check(one), []);
    assertEquals(await sh(`cat ${SYSCTL_DIR}/ipv6/conf/${one.hostLink}/accept_ra`), "0\n");
    await driver.detach([one.hostLink]);
  });
});

Deno.test("attach() and rebind() bind anycast addresses on lo; the pod sends from its first address of a family", async () => {
  await sh("ip address replace 192.0.2.9/32 dev lo; ip -6 address replace 2001:db8::9/128 dev lo nodad");
  await withDriver(async (driver) => {
    const one = await pod("any", 11);
    const more = ["2001:db8::a", "192.0.2.10"].flatMap((text) => parseAddress(text) ?? []);
    const anycast = ["2001:db8:53::1", "192.0.2.53"].flatMap((text) => parseAddress(text) ?? []);
    const whole = { ...one, addresses: [...one.addresses, ...more], anycast };
    await driver.attach(whole);
    assertEquals(await driver.check(whole), []);
    for (const text of ["2001:db8::a", "192.0.2.10"]) await sh(`ping -c1 -W1 ${text}`);
    for (const text of ["2001:db8:53::1", "192.0.2.53"]) {
      await sh(`ip route replace ${text} via ${one.addresses[text.includes(":") ? 0 : 1]?.text} dev ${one.hostLink}`);
      await sh(`ping -c1 -W1 ${text}`);
    }
    const sources = await sh("for to in 2001:db8::9 192.0.2.9; do ip -n any route get $to; done");
    assertEquals(
      [...sources.matchAll(/ src (\S+)/g)].map(([, source]) => source),
      one.addresses.map(({ text }) => text),
    );
    await driver.rebind(whole, one);
    assertEquals(await driver.check(one), []);
    assertEquals((await sh("ip -n any -br address show dev lo")).includes("53"), false);
    await sh("ip -n any address del 192.0.2.10/32 dev eth0 && exit 1 || true");
    await sh(`ip route add 192.0.2.10/32 dev lo proto ${ROUTE_PROTOCOL} metric ${POD_ROUTE_METRIC}`); // it is another's by now
    await driver.rebind(whole, one);
    assertEquals((await sh("ip route show 192.0.2.10")).includes("dev lo"), true);
    await driver.detach([one.hostLink]);
  });
});

Deno.test("attach() leaves an interface of that name untouched", async () => {
  await withDriver(async (driver) => {
    const two = await pod("two", 2);
    await sh("ip -n two link add eth0 type bridge && ip -n two address add 198.51.100.7/32 dev eth0");
    const before = await sh("ip -n two -j address show dev eth0");
    assertEquals(await fault(driver.attach(two)), "ifnameExists");
    assertEquals(await sh("ip -n two -j address show dev eth0"), before);
    assertEquals(await driver.list(), []);
  });
});

Deno.test("attach() refuses the node's own namespace before it configures anything there", async () => {
  await withDriver(async (driver) => {
    await sh("touch /run/netns/host && mount --bind /proc/self/ns/net /run/netns/host");
    await sh("ip link add dum0 type bridge && ip link set dum0 up && ip route add default dev dum0");
    const host = await pod("host-pod", 3);
    await sh("ip link add eth0 type bridge");
    const before = await sh("ip -br link; ip route; ip -6 route; ip -br address");
    for (const netns of ["/run/netns/host", "/proc/self/ns/net", `/proc/${Deno.pid}/ns/net`]) {
      assertEquals(await fault(driver.attach({ ...host, netns })), "netnsIsHost", netns);
    }
    assertEquals(await sh("ip -br link; ip route; ip -6 route; ip -br address"), before);
    await sh("ip link del dum0; ip link del eth0");
  });
});

Deno.test("attach() follows no link, and leaves nothing where the namespace is swapped for another meanwhile", async () => {
  await withDriver(async (driver) => {
    const swapped = await pod("swapped", 3);
    await sh("ln -s swapped /run/netns/link");
    assertEquals(await fault(driver.attach({ ...swapped, netns: "/run/netns/link" })), "netnsMissing");
    await sh("touch /run/netns/kept && mount --bind /run/netns/swapped /run/netns/kept"); // so that the link lives on
    // Without the one that is kept, the link goes with its namespace: at which step that shows is chance.
    for (
      const [meanwhile, says] of [["ip netns del swapped && ip netns add swapped", "was replaced"], [
        "ip netns del swapped",
        "",
      ]]
    ) {
      afterRun = async (argv) => void (argv.includes("-batch") && await sh(meanwhile ?? ""));
      await assertRejects(() => driver.attach(swapped), AttachFailed, says).finally(() => (afterRun = async () => {}));
      assertEquals(await driver.list(), []);
    }
    await sh("ip netns add swapped");
    await driver.attach(swapped);
    await driver.detach([swapped.hostLink]);
    await sh("rm /run/netns/link; ip netns del kept; ip netns del swapped");
  });
});

Deno.test("attach() into what is no network namespace fails and leaves nothing", async () => {
  await withDriver(async (driver) => {
    const three = await pod("three", 3);
    assertEquals(await fault(driver.attach({ ...three, netns: "/run/netns/nowhere" })), "netnsMissing");
    assertEquals(await fault(driver.attach({ ...three, netns: "/proc/999999/ns/net" })), "netnsMissing");
    await sh("touch /run/netns/file");
    assertEquals(await fault(driver.attach({ ...three, netns: "/run/netns/file" })), "netnsMissing");
    assertEquals(await driver.list(), []);
    await driver.attach(three); // the persistent process has survived all that
    await driver.detach([three.hostLink]);
  });
});

Deno.test("attach() replaces what an unfinished ADD of the same container left, and stale routes (T-REL-26)", async () => {
  await withDriver(async (driver) => {
    const four = await pod("four", 4);
    await driver.attach(four);
    await sh("ip link add dum1 type bridge && ip link set dum1 up");
    await sh("ip route add 203.0.113.44/32 dev dum1 proto 70 metric 20");
    const anew = { ...four, addresses: [parseAddress("203.0.113.44")].filter((address) => address !== undefined) };
    await driver.attach(anew);
    assertEquals(await driver.check(anew), []);
    assertEquals((await sh("ip route show 203.0.113.44")).includes("dum1"), false);
    await driver.detach([four.hostLink]);
    await sh("ip link del dum1");
  });
});

Deno.test("attach() leaves another container's link alone when the names collide", async () => {
  await withDriver(async (driver) => {
    const [victim, other] = [await pod("victim", 20), await pod("other", 21)];
    await driver.attach(victim);
    assertEquals(await fault(driver.attach({ ...other, hostLink: victim.hostLink })), "hostLinkTaken");
    assertEquals(await driver.check(victim), []);
    await driver.detach([victim.hostLink]);
  });
});

Deno.test("a missing netns among many attaches fails alone", async () => {
  const pods = await Promise.all(Array.from({ length: 8 }, (_, index) => pod(`near${index}`, 30 + index)));
  await withDriver(async (driver) => {
    const all = pods.map((each, index) => driver.attach(index === 3 ? { ...each, netns: "/run/netns/nowhere" } : each));
    const results = await Promise.allSettled(all);
    assertEquals(results.map(({ status }) => status === "fulfilled"), results.map((_, index) => index !== 3));
    await driver.detach(pods.map(({ hostLink }) => hostLink));
  });
});

Deno.test("the same container can be attached again after its detach", async () => {
  await withDriver(async (driver) => {
    const six = await pod("six", 6);
    for (let round = 0; round < 4; round++) {
      await driver.attach(six);
      assertEquals(await driver.check(six), []);
      await driver.detach([six.hostLink]);
    }
    assertEquals(await driver.list(), []);
  });
});

Deno.test("60 attaches and detaches at once leave nothing; list() knows them after amnesia", async () => {
  const pods = await Promise.all(Array.from({ length: 60 }, (_, index) => pod(`many${index}`, 100 + index)));
  await withDriver((driver) => Promise.all(pods.map((each) => driver.attach(each))).then(() => {}));
  await withDriver(async (driver) => {
    const found = await driver.list();
    assertEquals(found.length, 60);
    const first = found.find(({ containerId }) => containerId === "many7");
    assertEquals([first?.ifname, first?.netns, first?.mtu], ["eth0", "/run/netns/many7", 9000]);
    assertEquals(first?.addresses.map(({ text }) => text).sort(), ["2001:db8:f::6b", "203.0.113.107"]);
    deletions = 0;
    const start = performance.now();
    await Promise.all(pods.map(({ hostLink }) => driver.detach([hostLink])));
    assertLess(performance.now() - start, 500, "60 grace periods would be more than 780 ms");
    assertLess(deletions, 3);
    assertEquals(await driver.list(), []);
    await driver.detach(pods.map(({ hostLink }) => hostLink));
  });
});

Deno.test("mend() puts back what either end lacks, and leaves alone what others put in its place (T-CNI-13)", async () => {
  await withDriver(async (driver) => {
    const seven = await pod("seven", 7);
    await driver.attach(seven);
    const before = await sh(`ip -o link show dev ${seven.hostLink} | cut -d: -f1`);
    const inPod = [
      "neigh flush all nud permanent",
      "route del default",
      "-6 route del default",
      "address del 203.0.113.7/32 dev eth0",
      "-6 address flush dev eth0",
      "link set eth0 down",
    ];
    for (const command of [...inPod.map((words) => `ip -n seven ${words}`), `ip route del 203.0.113.7`]) {
      await sh(command);
      assert((await driver.check(seven)).length > 0, command);
      assertEquals([await driver.mend(seven), await driver.check(seven)], [true, []], command);
    }
    spawns = 0;
    await driver.mend(seven);
    assertEquals(spawns, 8, "what is whole is only read");
    await sh(
      "ip -n seven link set eth0 mtu 1400 && ip -n seven route replace default via 169.254.1.1 dev eth0 onlink mtu 1300",
    );
    await sh("ip -n seven -6 route replace default dev eth0");
    const others = await sh("ip -n seven route; ip -n seven -6 route; ip -n seven -br link");
    await sh("ip -n seven neigh flush all nud permanent");
    assertEquals(await driver.mend(seven), true);
    assertEquals(await sh("ip -n seven neigh show nud permanent | wc -l"), "2\n");
    assertEquals(await sh("ip -n seven route; ip -n seven -6 route; ip -n seven -br link"), others);
    assertEquals(await sh(`ip -o link show dev ${seven.hostLink} | cut -d: -f1`), before);
    assertEquals(await driver.mend({ ...seven, netnsId: "4:1:1" }), false);
    await sh(
      "touch /run/netns/host7 && mount --bind /proc/self/ns/net /run/netns/host7 && ip link add eth0 type bridge",
    );
    const node = await sh("ip -br address; ip route; ip -6 route");
    assertEquals(await fault(driver.mend({ ...seven, netns: "/run/netns/host7" })), "netnsIsHost");
    assertEquals(await sh("ip -br address; ip route; ip -6 route"), node);
    await sh("ip netns del host7; ip link del eth0");
    await driver.detach([seven.hostLink]);
  });
});

Deno.test("check() names what is missing, repair() puts the host's side back and spawns no process per pod", async () => {
  await withDriver(async (driver) => {
    const five = await pod("five", 5);
    await driver.attach(five);
    const { hostLink } = five;
    await sh("ip link add br9 type bridge && ip link set br9 up");
    const breaks: [command: string, phrase: string, repairable: boolean][] = [
      [`ip route del 203.0.113.5 dev ${hostLink}`, "host route 203.0.113.5", true],
      [`ip -6 route del 2001:db8:f::5 dev ${hostLink}`, "host route 2001:db8:f::5", true],
      [`ip neigh del 203.0.113.5 dev ${hostLink}`, "neighbour 203.0.113.5", true],
      [`ip -6 address flush dev ${hostLink}`, "address fe80::1", true],
      [`ip link set ${hostLink} down`, `link ${hostLink} is down`, true],
      [`ip link set ${hostLink} mtu 1400`, "has MTU 1400", true],
      [`ip link set ${hostLink} mtu 1000`, "has MTU 1000", true],
      [`ip link set ${hostLink} address 02:00:00:00:00:01`, "has MAC 02:00:00:00:00:01", true], // as udev does (T-REL-27)
      [`ip link set ${hostLink} master br9`, `link ${hostLink} has the master br9`, true],
      [`ip link set ${hostLink} arp off`, `link ${hostLink} has ARP off`, true],
      [`ip link set ${hostLink} alias ''`, "has alias", true],
      [`ip link set ${hostLink} alias 'other eth0 /run/netns/other'`, "has alias", true],
      [`ip -6 address add fe80::1/128 dev ${hostLink} nodad; ip -6 address del fe80::1/64 dev ${hostLink}`, "", true],
      [`ip address change fe80::1/64 dev ${hostLink} valid_lft 90 preferred_lft 60`, "fe80::1", true],
      [`ip address change fe80::1/64 dev ${hostLink} preferred_lft 0`, "fe80::1", true],
      [`ip route change 203.0.113.5 via 10.9.9.9 dev ${hostLink} onlink proto 70 metric 20`, "via 10.9.9.9", true],
      [`ip route change 203.0.113.5 dev ${hostLink} proto 70 metric 20 mtu 100`, '"mtu":100', true],
      [`ip route change 203.0.113.5 dev ${hostLink} proto 70 metric 20 mtu lock 600`, '"mtu":600', true],
      [`ip route replace unreachable 203.0.113.5 proto 70 metric 20`, "host route 203.0.113.5", true],
      [`ip -6 route replace 2001:db8:f::5 via fe80::9 dev ${hostLink} proto 70 metric 20`, "via fe80::9", true],
      [`ip -6 route change 2001:db8:f::5 dev ${hostLink} proto 70 metric 20 mtu 1300`, '"mtu":1300', true],
      [`echo 1 >${SYSCTL_DIR}/ipv6/conf/${hostLink}/disable_ipv6`, "disable_ipv6 is 1 instead of 0", true],
      [`echo 0 >${SYSCTL_DIR}/ipv4/conf/${hostLink}/forwarding`, "ipv4/conf/", true],
      [`echo 0 >${SYSCTL_DIR}/ipv6/conf/${hostLink}/forwarding`, "forwarding is 0 instead of 1", true],
      [`echo 1 >${SYSCTL_DIR}/ipv6/conf/${hostLink}/accept_ra`, "accept_ra is 1 instead of 0", true],
      [`echo 1 >${SYSCTL_DIR}/ipv4/conf/${hostLink}/route_localnet`, "route_localnet is 1 instead of 0", true],
      ["ip -n five address del 203.0.113.5/32 dev eth0", "address 203.0.113.5 on eth0", false],
    ];
    for (const [command, phrase, repairable] of breaks) {
      await sh(command);
      const differences = await driver.check(five);
      assert(differences.some((difference) => difference.includes(phrase)), `${command}: ${differences.join("; ")}`);
      spawns = 0;
      const { mended, left } = await driver.repair([five]);
      assertEquals(left, [], command);
      assertLess(spawns, 9);
      if (!repairable) continue;
      assert(mended.some((what) => what.includes(phrase)), `${command}: repaired ${mended.join("; ")}`);
      assertEquals(await driver.check(five), [], command);
      assertEquals(await driver.repair([five]), { mended: [], left: [] });
    }
    await sh("ip link del br9");
    await driver.detach([hostLink]);
    assertEquals(await driver.check(five), [
      `host link ${hostLink} is missing`,
      "interface eth0 in /run/netns/five is missing",
    ]);
  });
});

Deno.test("repair() tells what it cannot mend, and one link that cannot be mended keeps no other from being mended", async () => {
  await withDriver(async (driver) => {
    const [bad, good] = [await pod("bad", 40), await pod("good", 41)];
    await Promise.all([driver.attach(bad), driver.attach(good)]);
    for (const { hostLink } of [bad, good]) {
      await sh(`ip link set ${hostLink} mtu 1400; ip -4 route flush dev ${hostLink}`);
    }
    const impossible = { ...bad, mtu: 70_000 };
    const { mended, left } = await driver.repair([impossible, good]);
    assertEquals(mended.filter((what) => what.includes(good.hostLink)).length, 2, mended.join("; "));
    assert(mended.some((what) => what.includes("203.0.113.40")), "the rest of the link is mended");
    assert(left.some((what) => what.includes("has MTU 1400 instead of 70000")), left.join("; "));
    assert(left.some((what) => what.startsWith(`Cannot repair ${bad.hostLink}: `)), left.join("; "));
    await driver.detach([bad.hostLink, good.hostLink]);
  });
});

Deno.test("attach() replaces a link of the same container that somebody renamed or removed, and no other's", async () => {
  await withDriver(async (driver) => {
    const [renamed, other] = [await pod("renamed", 42), await pod("bystander", 43)];
    await Promise.all([driver.attach(renamed), driver.attach(other)]);
    for (const [link, name] of [[renamed.hostLink, "foo9"], [other.hostLink, "foo8"]]) {
      await sh(`ip link set ${link} down; ip link set ${link} name ${name}; ip link set ${name} up`);
    }
    await driver.attach(renamed);
    assertEquals(await driver.check(renamed), []);
    await sh(`ip link del ${renamed.hostLink}`);
    await driver.attach(renamed);
    assertEquals(await driver.check(renamed), []);
    assertEquals((await sh("ip -br link")).match(/foo\d/g), ["foo8"]);
    await driver.detach(["foo8"]);
    await withDriver(async (next) => { // one that has not made the link itself, and whose ip has listed it
      await next.repair([renamed]);
      await next.attach(other);
      await sh(`ip link del ${renamed.hostLink}`);
      await next.attach(renamed);
      assertEquals(await next.check(renamed), []);
      await next.detach([renamed.hostLink, other.hostLink]);
    });
  });
});

Deno.test("list() takes no anycast route over a pod's link for an address of the pod, nor check() and repair() for a fault", async () => {
  await withDriver(async (driver) => {
    const eight = await pod("eight", 8);
    await driver.attach(eight);
    await sh(`ip nexthop add id 1 via 203.0.113.8 dev ${eight.hostLink} onlink protocol 70; ip nexthop add id 2 group 1
      ip nexthop add id 3 via 2001:db8:f::8 dev ${eight.hostLink} onlink protocol 70
      ip route add 192.0.2.53 nhid 2 proto 70 metric 20; ip -6 route add 2001:db8:a::53 nhid 3 proto 70 metric 20`);
    const routes = await sh("ip route show proto 70; ip -6 route show proto 70");
    assert(routes.includes("192.0.2.53 nhid 2 via 203.0.113.8") && routes.includes("2001:db8:a::53 nhid 3"), routes);
    const [found] = await driver.list();
    assertEquals(found?.addresses.map(({ text }) => text).sort(), ["2001:db8:f::8", "203.0.113.8"]);
    assertEquals([await driver.check(eight), await driver.repair([eight])], [[], { mended: [], left: [] }]);
    assertEquals(await sh("ip route show proto 70; ip -6 route show proto 70"), routes);
    await driver.detach([eight.hostLink]);
  });
});
