/** What others remove or alter of flock's is back within two seconds; nothing of theirs is touched, and a quiet node starts no process. */
import { assertEquals } from "@std/assert";
import type { LabNode } from "../lab/node.ts";
import { pause, until } from "../lab/until.ts";
import { expectPing, startCluster, untilLogged } from "./_cluster.ts";
import { addSandbox } from "./_sandbox.ts";

/** What the issue promises, in milliseconds. */
const REPAIR_MS = 2000;
const QUIET_MS = 3000;
/** What nobody could mend for some seconds is tried again within as many. */
const LONGER_MS = 30_000;
/** So long after its start an agent still looks at everything once more. */
const START_MS = 4000;
const PAIRS = 2;
/** So many messages overrun the socket of a monitor that does not read. */
const FLOOD = 4000;
const SYSCTLS = "/run/flock/sys";
/** How the agent's monitors are called, for pgrep and pkill. */
const IP_MONITOR = "^/usr/sbin/ip -o -d monitor";
const NFT_MONITOR = "^/usr/sbin/nft monitor";

/** What somebody else does, and words of the line that the agent logs about it. */
type Damage = readonly [command: string, ...logged: string[]];

/** Everything that flock has in the kernel of a node, less handles and counts. */
const OURS = `
for l in $(ip -br link | grep -o '^flock[0-9a-f]*' | sort); do
  ip -o link show dev $l | grep -o '<.*> mtu [0-9]*\\|master [^ ]*\\|ether [0-9a-f:]*\\|alias .*'
  ip -o address show dev $l | cut -d: -f2-
  ip neigh show dev $l nud permanent | sort
  cd ${SYSCTLS}; cat ipv4/conf/$l/rp_filter ipv4/conf/$l/route_localnet ipv6/conf/$l/accept_ra
  cat ipv4/conf/$l/forwarding ipv6/conf/$l/forwarding ipv6/conf/$l/disable_ipv6
done
ip -o address show dev lo to 169.254.1.1
ip link show dev lo | grep altname
ip -4 route show proto 70 | sort
ip -6 route show proto 70 | sort
nft -s list table inet flock
nft -s list table arp flock
cd ${SYSCTLS}; cat ipv4/ip_forward ipv6/conf/all/forwarding ipv4/fib_multipath_hash_policy ipv6/fib_multipath_hash_policy
`;

/** Things of others, alike flock's where that may mislead, and tables that nft of another version or hand may have made. */
const FOREIGN = `
ip link add flocking type veth peer name flock0foreign; ip link set flocking up
ip address add 198.51.100.7/32 dev lo; ip address add fe80::1/64 dev flocking nodad
ip route add 198.51.100.77 dev flocking metric 20; ip -6 route add 2001:db8:77::7 dev flocking proto 71 metric 20
ip route add blackhole 198.51.100.128/25; ip neigh add 198.51.100.77 lladdr 02:00:00:00:00:77 dev flocking nud permanent
nft -f - <<END
table ip flock { chain c { type filter hook output priority 0; policy accept; ip daddr 198.51.100.99 counter drop comment "delete table inet flock"
}
}
table inet flock-other { map m { type ipv4_addr : verdict; flags interval; elements = { 10.0.0.0/8 : accept }
}
set s { typeof meta l4proto . th dport; flags dynamic,timeout; timeout 1h; elements = { tcp . 80 }
}
quota q { over 10 mbytes }
limit l { rate 5/second }
chain c { type nat hook postrouting priority 100; oifname "none" masquerade
}
}
table bridge flock { chain c { ether type arp accept
}
}
END`;

const FOREIGN_NOW = `
ip link show dev flocking | grep -o '<.*> mtu [0-9]*'; ip -o address show dev flocking; ip -o address show dev lo to 198.51.100.7
ip route show dev flocking; ip -6 route show dev flocking; ip route show type blackhole proto boot; ip neigh show dev flocking nud permanent
nft -s list table ip flock; nft -s list table inet flock-other; nft -s list table bridge flock`;

Deno.test("what others change of flock's is back within two seconds, and nothing of theirs changes", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const pod = await addSandbox(node);
  await addSandbox(node);
  const { hostLink: link } = pod;
  const [four, six] = [pod.address(4), pod.address(6)];
  await t.step(
    "an agent at rest starts no process; an ADD starts one, and its changes are known as its own",
    async () => {
      await (await addSandbox(node)).remove(); // starts what stays
      await pause(START_MS);
      await using trace = await traceStarts(node);
      await pause(QUIET_MS);
      assertEquals(await trace.started(), []);
      for (let pair = 0; pair < PAIRS; pair++) await (await addSandbox(node)).remove();
      await pause(REPAIR_MS);
      assertEquals((await trace.started()).length, PAIRS, (await trace.started()).join("\n"));
      await node.output(["ip", "route", "delete", four]);
      await until("the damage is looked at", async () => (await trace.started()).length > PAIRS);
    },
  );
  await node.output(["sh", "-ec", FOREIGN]);
  const foreign = await node.output(["sh", "-c", FOREIGN_NOW]);
  const whole = await intact(node);
  const repair = repairs(node, whole);
  await t.step("routes, neighbours, addresses and links, one by one (T-REL-28)", async () => {
    await repair([`ip route delete ${four}`, `host route ${four}`]);
    await repair([`ip -6 route delete ${six}`, `host route ${six}`]);
    await repair([`ip route replace ${four} dev up0 metric 20`, `host route ${four}`]);
    await repair([`ip link property del dev lo altname flock-node; ip -6 route delete ${six}`, `host route ${six}`]);
    await repair([`ip neigh delete ${four} dev ${link}`, `permanent neighbour ${four}`]);
    await repair([`ip neigh replace ${six} lladdr 02:00:00:00:00:99 dev ${link} nud permanent`, `neighbour ${six}`]);
    await repair([`ip address delete fe80::1/64 dev ${link}`, "address fe80::1"]);
    await repair([`ip link set ${link} down`, `link ${link} is down`]);
    await repair([`ip link set ${link} down; ip link set ${link} up`, `host route ${four}`]);
    await repair([`ip link set ${link} mtu 1400`, "has MTU 1400"]);
    await repair([`ip link del ${link}`, `host link ${link} was missing`]);
    for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
  });
  await t.step(
    "what keeps its name and is another thing: master, alias, flags, lifetimes, gateways, metrics",
    async () => {
      await repair([
        `ip link add br9 type bridge; ip link set br9 up; ip link set ${link} master br9`,
        "the master br9",
      ]);
      await repair([`ip link set ${link} alias ''`, "has alias"]);
      await repair([`ip link set ${link} arp off`, "has ARP off"]);
      await repair([`ip address change fe80::1/64 dev ${link} valid_lft 90 preferred_lft 60`, "not there for good"]);
      await repair([
        `ip address del fe80::1/64 dev ${link}; ip address add fe80::1/128 dev ${link} nodad`,
        "length 128",
      ]);
      await repair([`ip route change ${four} via 192.0.2.99 dev ${link} onlink proto 70 metric 20`, "via 192.0.2.99"]);
      await repair([`ip route change ${four} dev ${link} proto 70 metric 20 mtu lock 600`, "altered"]);
      await repair([`ip route replace unreachable ${four} proto 70 metric 20`, `host route ${four}`]);
      await repair([`ip -6 route change ${six} dev ${link} proto 70 metric 20 mtu 1300`, "altered"]);
    },
  );
  await t.step("a link that somebody renamed, its other end still in the pod", async () => {
    const rename = `ip link set ${link} down; ip link set ${link} name foo9; ip link set foo9 up`;
    await repair([rename, `host link ${link} was missing`]);
    assertEquals((await node.exec(["ip", "link", "show", "dev", "foo9"])).code, 1);
    for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
  });
  await t.step("a MAC that is rewritten as udev does (T-REL-27)", async () => {
    await repair([`ip link set ${link} address 02:00:00:00:00:01`, "has MAC 02:00:00:00:00:01"]);
    await expectPing(lab.client, four);
  });
  await t.step("what belongs to the node: next hop, blackholes (T-REL-35), sysctls", async () => {
    await repair(["ip address delete 169.254.1.1/32 dev lo", "169.254.1.1/32"]);
    await repair(["ip address delete 169.254.1.1/32 dev lo; ip address add 169.254.1.1/32 dev lo", "169.254.1.1/32"]);
    await repair([`ip route delete blackhole ${node.spec.cidr4}`, `blackhole ${node.spec.cidr4}`]);
    await repair([`ip -6 route delete blackhole ${node.spec.cidr6}`, `blackhole ${node.spec.cidr6}`]);
    await repair([
      `cd ${SYSCTLS}; echo 0 >ipv4/ip_forward; echo 0 >ipv6/conf/all/forwarding; echo 2 >ipv4/conf/${link}/rp_filter`,
      "rp_filter is 2",
    ]);
    await untilLogged(node, ["node changed", "ipv6/conf/all/forwarding"]);
    await repair([`cd ${SYSCTLS}; echo 1 >ipv6/conf/${link}/accept_ra`, "accept_ra is 1"]);
    await repair([`cd ${SYSCTLS}; echo 0 >ipv4/conf/${link}/forwarding`, `ipv4/conf/${link}/forwarding is 0`]);
    await repair([`cd ${SYSCTLS}; echo 1 >ipv6/conf/${link}/disable_ipv6`, "disable_ipv6 is 1"]);
  });
  await t.step(
    "tables, chains, rules and elements, beside tables of any kind (T-REL-51, T-REL-52, T-REL-54)",
    async () => {
      await repair([`nft 'delete element inet flock own4 { "${link}" . ${four} }'`, `lacks`, four]);
      await repair([`nft 'add element arp flock own4 { "${link}" . 192.0.2.99 }'`, "192.0.2.99", "not ours"]);
      await repair(["nft flush chain inet flock from_pod", "rule"]);
      await repair(["nft 'add chain inet flock input { policy drop; }'", "input was changed"]);
      await repair(["nft 'add table inet flock { flags dormant; }'", "repaired"]);
      await repair(["nft delete table arp flock", "is gone"]);
      assertEquals(await node.output(["sh", "-c", FOREIGN_NOW]), foreign);
      await repair(["nft flush ruleset", "is gone"]);
      await expectPing(lab.client, six);
    },
  );
  await t.step(
    "a link that refuses to be mended costs neither the node its tables nor other pods their ADDs",
    async () => {
      const setting = `${SYSCTLS}/ipv4/conf/${link}/route_localnet`;
      const stick = `echo 1 >/run/stuck; mount --bind /run/stuck ${setting}; mount -o remount,bind,ro ${setting}`;
      await node.output(["sh", "-ec", `exec 3>${setting}; ${stick}; echo 1 >&3; nft flush ruleset`]);
      await until("the tables are back", () => isDone(node, "nft list table inet flock; nft list table arp flock"), {
        timeoutMs: REPAIR_MS,
      });
      await (await addSandbox(node)).remove();
      await untilLogged(node, ["Cannot mend pods' paths", "route_localnet is 1 instead of 0"]);
      await node.output(["umount", setting]);
      await until("all is back", async () => await intact(node) === whole, { timeoutMs: LONGER_MS });
    },
  );
  await t.step(
    "another's route in a blackhole's place stays, ours is back before it, and all else is mended",
    async () => {
      const places = [[4, node.spec.cidr4], [6, node.spec.cidr6]] as const;
      for (const [family, cidr] of places) {
        const after = (await node.readLog("agent")).length;
        await node.output(["sh", "-c", `ip -${family} route replace unreachable ${cidr} metric 20`]);
        await untilLogged(node, [`route add blackhole ${cidr}`, "metric 19"], { after, timeoutMs: REPAIR_MS });
        await until("ours goes first", () => isBlackholeFirst(node, { family, cidr }), { timeoutMs: REPAIR_MS });
      }
      await node.output(["ip", "route", "delete", four]);
      await until("the pod's route is back", () => isDone(node, `ip route show proto 70 | grep -q '^${four} '`), {
        timeoutMs: REPAIR_MS,
      });
      await (await addSandbox(node)).remove();
      for (const [family, cidr] of places) {
        const ours = `ip -${family} route delete blackhole ${cidr} proto 70`;
        await node.output(["sh", "-ec", `ip -${family} route delete unreachable ${cidr} metric 20; ${ours}`]);
      }
      await until("all is as before", async () => await intact(node) === whole, { timeoutMs: REPAIR_MS });
    },
  );
  await t.step("what happens while a monitor is dead, or cannot keep up", async () => {
    await repair([`pkill -KILL -f '${IP_MONITOR}'; ip route delete ${four}`, `host route ${four}`]);
    await repair([`pkill -KILL -f '${NFT_MONITOR}'; nft delete table inet flock`, "is gone"]);
    await node.output(["sh", "-ec", `pkill -STOP -f '${IP_MONITOR}'\n${flood()}; ip -6 route delete ${six}`]);
    await repair([`pkill -CONT -f '${IP_MONITOR}'`, `host route ${six}`]);
  });
  await t.step("monitors end with their agent, however it ends", async () => {
    await node.stopAgent("SIGKILL");
    await node.startAgent();
    await (await addSandbox(node)).remove(); // an orphan notices at the next change that nobody hears it
    await until("two monitors run", async () => await monitorsOf(node) === 2);
    await node.stopAgent();
    assertEquals(await monitorsOf(node), 0);
  });
});

async function monitorsOf(node: LabNode): Promise<number> {
  const { stdout } = await node.exec(["pgrep", "-f", `${IP_MONITOR}|${NFT_MONITOR}`]);
  return stdout.split("\n").length - 1;
}

/** @returns whether the first of the kernel's routes to exactly this prefix is flock's blackhole */
async function isBlackholeFirst(node: LabNode, { family, cidr }: { family: 4 | 6; cidr: string }): Promise<boolean> {
  const [first = ""] = (await node.output(["ip", `-${family}`, "route", "show", "exact", cidr])).split("\n");
  return first.includes("blackhole") && first.includes("proto 70");
}

async function isDone(node: LabNode, command: string): Promise<boolean> {
  return (await node.exec(["sh", "-ec", command])).code === 0;
}

async function intact(node: LabNode): Promise<string> {
  return await node.output(["sh", "-c", OURS]);
}

/** @returns a function that does the damage and waits until it was told and all is as it should be, both within REPAIR_MS */
function repairs(node: LabNode, wanted: string): (damage: Damage) => Promise<void> {
  return async ([command, ...words]) => {
    const after = (await node.readLog("agent")).length;
    await node.output(["sh", "-c", command]);
    const deadline = performance.now() + REPAIR_MS;
    await untilLogged(node, words, { after, timeoutMs: REPAIR_MS });
    const left = Math.max(0, deadline - performance.now());
    let now = "";
    await until(`all is back after ${command}`, async () => (now = await intact(node)) === wanted, { timeoutMs: left })
      .catch(() => assertEquals(now, wanted, command));
    await until(
      "the agent has read back what it wrote",
      async () => (await node.exec(["pgrep", "-f", "^/usr/sbin/(nft|ip) -j"])).stdout === "",
    );
  };
}

function flood(): string {
  const line =
    "neigh replace 192.0.2.200 lladdr 02:00:00:00:00:05 dev up0 nud permanent\\nneigh delete 192.0.2.200 dev up0\\n";
  return `yes "$(printf '${line}')" | head -n ${FLOOD} | ip -batch -`;
}

/** Follows every process that the agent starts from now on. */
async function traceStarts(node: LabNode): Promise<AsyncDisposable & { started(): Promise<string[]> }> {
  const agent = (await node.output(["pgrep", "-o", "-f", "agent --kubeconfig"])).trim();
  const strace = await node.spawn("strace", [
    "strace",
    "-f",
    "-qq",
    "-e",
    "trace=execve",
    "-o",
    "/run/starts",
    "-p",
    agent,
  ]);
  await until(
    "strace has attached",
    async () => /TracerPid:\s+[1-9]/.test(await node.output(["cat", `/proc/${agent}/status`])),
  );
  return {
    started: async () => (await node.read("/run/starts")).split("\n").filter((line) => line.includes("execve(")),
    [Symbol.asyncDispose]: async () => void await strace.stop("SIGINT"),
  };
}
