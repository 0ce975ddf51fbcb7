import { assertEquals } from "@std/assert";
import type { Argv, CommandResult } from "../exec/command_runner.ts";
import { parsePrefix } from "../ip/address.ts";
import type { DefaultRoute, HostChange, HostNetwork, HostState } from "./host_driver.ts";
import { planSettings } from "./plan_settings.ts";
import { createHostDriver } from "./system_host_driver.ts";

const FORWARDING4 = "ipv4/ip_forward";
const FORWARDING6 = "ipv6/conf/all/forwarding";
const HASHES = { "ipv4/fib_multipath_hash_policy": "0", "ipv6/fib_multipath_hash_policy": "0" };
const STOCK = { ...HASHES, [FORWARDING4]: "0", [FORWARDING6]: "0" };

/** What fails of a node: the writing of a sysctl, and a batch that says so. */
interface Faults {
  readonly refused?: string;
  readonly stderr?: string;
}

/** A node with these sysctls and nothing in its tables; keeps what was written, and the lines of the batches. */
function nodeWith(sysctls: Record<string, string>, faults: Faults = {}): {
  apply(families: HostState["families"], routes?: readonly DefaultRoute[]): Promise<HostChange>;
  written: string[];
  lines: string[];
} {
  const [written, lines]: [string[], string[]] = [[], []];
  const present = new Map(Object.entries(sysctls));
  const driver = createHostDriver({
    ip: "/usr/sbin/ip",
    runner: {
      run: (argv: Argv, options): Promise<CommandResult> => {
        if (!argv.includes("-batch")) return Promise.resolve({ code: 0, stdout: "[]", stderr: "" });
        lines.push(...(options?.stdin ?? "").trim().split("\n"));
        const { stderr } = faults;
        return Promise.resolve({ code: stderr === undefined ? 0 : 1, stdout: "", stderr: stderr ?? "" });
      },
    },
    sysctls: {
      read: (name) => present.get(name),
      write: (name, value) => {
        if (name === faults.refused) throw new Error(`Cannot set sysctl ${name}: the kernel refuses`);
        if (!present.has(name)) throw new Error(`Cannot set sysctl ${name}: there is no such sysctl`);
        present.set(name, value);
        written.push(`${name}=${value}`);
      },
    },
  });
  const blackholes = [parsePrefix("203.0.113.0/24"), parsePrefix("2001:db8:f::/64")].flatMap((found) => found ?? []);
  const networkOf = (defaultRoutes: readonly DefaultRoute[]): HostNetwork => (
    { addresses: [], defaultRoutes, mtus: new Map() }
  );
  return {
    apply: (families, routes = []) =>
      driver.apply({ families, blackholes: blackholes.filter((p) => families.includes(p.family)) }, networkOf(routes)),
    written,
    lines,
  };
}

const advertised = (link: string): DefaultRoute => ({ family: 6, link, fromRouterAdvertisement: true });

Deno.test("apply() lets an uplink go on hearing RA before it turns forwarding on (T-REL-28)", async () => {
  const node = nodeWith({ ...STOCK, "ipv6/conf/eth0.7/accept_ra": "1", "ipv6/conf/eth1/accept_ra": "1" });
  await node.apply([6], [advertised("eth0.7"), { ...advertised("eth1"), fromRouterAdvertisement: false }]);
  assertEquals(node.written.slice(0, 2), ["ipv6/conf/eth0.7/accept_ra=2", `${FORWARDING6}=1`]);
  assertEquals(node.written.filter((name) => name.includes("eth1")), []);
});

Deno.test("apply() goes on without a link that has gone since it was read", async () => {
  const node = nodeWith(STOCK);
  await node.apply([6], [advertised("gone")]);
  assertEquals(node.written, [`${FORWARDING6}=1`, "ipv6/fib_multipath_hash_policy=1"]);
});

Deno.test("apply() leaves alone a family that the node has no prefix of", async () => {
  for (const [family, other] of [[4, 6], [6, 4]] as const) {
    const node = nodeWith(STOCK);
    await node.apply([family]);
    assertEquals(node.written.length, 2);
    assertEquals([...node.written, ...node.lines].filter((text) => text.includes(`ipv${other}`)), []);
    assertEquals(node.lines.some((line) => line.includes("169.254.1.1")), family === 4);
  }
});

Deno.test("apply() tells of a kernel that cannot forward a family, and does the rest all the same", async () => {
  const node = nodeWith({ ...HASHES, [FORWARDING4]: "0" });
  const { changed, left } = await node.apply([4, 6]);
  assertEquals(left, [`Error: Cannot set sysctl ${FORWARDING6}: there is no such sysctl`]);
  assertEquals(node.written, [
    ...["ipv6/fib_multipath_hash_policy=1", `${FORWARDING4}=1`, "ipv4/fib_multipath_hash_policy=1"],
  ]);
  assertEquals(changed.slice(-2), node.lines.slice(-2));
  assertEquals(node.lines.filter((line) => line.includes("blackhole")).length, 2);
});

Deno.test("apply() forwards no IPv6 where a link could not be told to go on listening, and does the rest", async () => {
  const node = nodeWith({ ...STOCK, "ipv6/conf/eth0/accept_ra": "1" }, { refused: "ipv6/conf/eth0/accept_ra" });
  const { left } = await node.apply([6], [advertised("eth0")]);
  assertEquals(left.length, 1);
  assertEquals(node.written, ["ipv6/fib_multipath_hash_policy=1"]);
  assertEquals(node.lines.filter((line) => line.includes("blackhole")).length, 1);
});

Deno.test("apply() tells apart the lines of a batch that failed", async () => {
  const node = nodeWith({ ...STOCK, [FORWARDING4]: "1" }, {
    stderr: "RTNETLINK answers: File exists\nCommand failed -:3",
  });
  const { changed, left } = await node.apply([4]);
  assertEquals(changed.slice(-2), ["address add 169.254.1.1/32 dev lo scope host", "link set dev lo up"]);
  assertEquals(left, [
    "Cannot route add blackhole 203.0.113.0/24 proto 70 metric 20",
    "ip said: RTNETLINK answers: File exists; Command failed -:3",
  ]);
});

Deno.test("apply() returns what it changed, in words", async () => {
  const { changed, left } = await nodeWith({ ...STOCK, [FORWARDING4]: "1" }).apply([4]);
  assertEquals(left, []);
  assertEquals(changed, [
    "sysctl ipv4/fib_multipath_hash_policy = 1",
    "address add 169.254.1.1/32 dev lo scope host",
    "link set dev lo up",
    "route add blackhole 203.0.113.0/24 proto 70 metric 20",
  ]);
});

Deno.test("planSettings() keeps every link listening that listens before forwarding, for its router may speak later", () => {
  const settings = new Map(Object.entries({ ...STOCK, [FORWARDING4]: "1", [FORWARDING6]: "0" }));
  const links = { listens: "1", deaf: "0", told: "2" };
  for (const [link, accepts] of Object.entries(links)) {
    settings.set(`ipv6/conf/${link}/accept_ra`, accepts).set(`ipv6/conf/${link}/forwarding`, "0");
  }
  settings.set("ipv6/conf/forwards/accept_ra", "1").set("ipv6/conf/forwards/forwarding", "1");
  const network = {
    addresses: [],
    defaultRoutes: [],
    mtus: new Map([...Object.keys(links), "forwards", "gone"].map((link) => [link, 1500])),
  };
  const plan = (): string[] =>
    planSettings({ families: [6], blackholes: [] }, { network, read: (name) => settings.get(name) }).map(([name]) =>
      name
    );
  assertEquals(plan(), ["ipv6/conf/listens/accept_ra", FORWARDING6, "ipv6/fib_multipath_hash_policy"]);
  settings.set(FORWARDING6, "1");
  assertEquals(plan(), ["ipv6/fib_multipath_hash_policy"]);
});
