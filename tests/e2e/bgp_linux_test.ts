/** What the routers see: sessions, restarts of BIRD, and a NodeConfig whose CIDRs change. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Family } from "../../src/ip/address.ts";
import { record } from "../lab/json.ts";
import { createLab, type Lab } from "../lab/lab.ts";
import { capture } from "../lab/probes.ts";
import { CONTROL_PLANE, ROUTER, ROUTER_ASN } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { configOf, configPath, expectPing, prefixesOf, startCluster, untilCondition, untilLogged } from "./_cluster.ts";
import { addSandbox, type Sandbox } from "./_sandbox.ts";

const FAMILIES = [4, 6] as const;

Deno.test("a node has sessions with two routers of each family, and loses neither for the other's sake", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  await startSecondRouter(lab);
  const peers = [ROUTER, CONTROL_PLANE].flatMap((router) =>
    FAMILIES.map((family) => ({ address: router[family], asn: ROUTER_ASN }))
  );
  const since = await establishedSince(lab);
  const { metadata } = await lab.api.apply(configOf(node, { bgp: { asn: node.spec.asn, peers } }));
  const generation = Number(record(metadata)["generation"]);
  assertMatch(
    await untilCondition(lab, node, { type: "BGPEstablished", reason: "Established", generation }),
    /^4 of 4 sessions/,
  );
  await t.step("both have its prefixes", async () => {
    for (const family of FAMILIES) {
      const argv = ["ip", `-${family}`, "route", "show", "exact", family === 4 ? node.spec.cidr4 : node.spec.cidr6];
      const via = `via ${node.spec.addresses[family]} dev up0`;
      await until(`the second router goes ${via}`, async () => (await lab.controlPlane.output(argv)).includes(via));
    }
  });
  await t.step("the sessions that were there have stayed up", async () => {
    assertEquals(await establishedSince(lab), since);
  });
  await t.step("a pod is reached by way of either", async () => {
    const pod = await addSandbox(node);
    for (const family of FAMILIES) {
      await expectPing(lab.client, pod.address(family));
      await expectPing(lab.controlPlane, pod.address(family));
    }
  });
});

Deno.test("BIRD killed and started again costs no packet, and gets its configuration again", async () => {
  await using lab = await createLab({ nodes: 1 });
  const node = lab.node("node-a");
  const [bird] = await Promise.all([node.startBird(), lab.api.apply(configOf(node)), node.startAgent()]);
  for (const prefix of prefixesOf(node)) await lab.router.waitForRoute(prefix);
  const pod = await addSandbox(node);
  const pings = FAMILIES.map((family) => pingSteadily(lab, pod.address(family)));
  const mark = (await node.readLog("agent")).length;
  await bird.stop("SIGKILL");
  await untilLogged(node, ["BIRD does not answer"], { after: mark });
  for (const prefix of prefixesOf(node)) await lab.router.waitForRoute(prefix);
  await node.startBird({ arguments: ["-R"] });
  await untilLogged(node, ["BIRD reconfigured"], { after: mark });
  await untilLogged(node, ["BGP session", '"Established"'], { after: mark });
  for (const summary of await Promise.all(pings)) assert(summary.includes(" 0% packet loss"), summary);
});

Deno.test("a changed CIDR is for new pods; live ones keep their addresses, advertised until they go (T-REL-24)", async () => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  const old = await addSandbox(node);
  const [oldPrefixes, hostRoutes] = [prefixesOf(node), FAMILIES.map((family) => hostRouteOf(old, family))];
  const since = await establishedSince(lab);
  await using refused = await capture(lab.client, "icmp[icmptype] = icmp-unreach or icmp6[0] = 1");
  const pings = FAMILIES.map((family) => pingSteadily(lab, old.address(family)));
  await lab.api.patch(configPath(node), { spec: { cidr4: ["203.0.113.192/27"], cidr6: ["2001:db8:f0aa::/64"] } });
  for (const prefix of ["203.0.113.192/27", "2001:db8:f0aa::/64", ...hostRoutes]) await lab.router.waitForRoute(prefix);
  for (const prefix of oldPrefixes) await lab.router.waitForNoRoute(prefix);
  const young = await addSandbox(node);
  assertEquals(young.address(4), "203.0.113.194");
  assert(young.address(6).startsWith("2001:db8:f0aa:"));
  for (const summary of await Promise.all(pings)) assert(summary.includes(" 0% packet loss"), summary);
  await old.remove();
  for (const prefix of hostRoutes) await lab.router.waitForNoRoute(prefix);
  for (const family of FAMILIES) await expectPing(lab.client, young.address(family));
  assertEquals([await establishedSince(lab), await refused.packets(0)], [since, []]);
});

/** A BIRD in the control plane's place, which takes sessions from every node. */
async function startSecondRouter({ controlPlane }: Lab): Promise<void> {
  const block = (family: Family): string => `
protocol bgp nodes${family} {
  local as ${ROUTER_ASN};
  neighbor range ${family === 4 ? "192.0.2.0/24" : "2001:db8:1::/64"} external;
  ipv${family} { import all; export none; };
}
protocol kernel { ipv${family} { import none; export all; }; }`;
  await controlPlane.write(
    "/etc/second.conf",
    `log stderr all;\nrouter id ${CONTROL_PLANE[4]};\nprotocol device {}\n${FAMILIES.map(block).join("\n")}\n`,
  );
  await controlPlane.spawn("bird", ["/usr/sbin/bird", "-f", "-c", "/etc/second.conf", "-s", "/run/second.ctl"]);
}

/** @returns when each session of the first router came up, as FRR says */
async function establishedSince({ router }: Lab): Promise<Record<string, unknown>> {
  const neighbors: Record<string, Record<string, unknown>> = JSON.parse(await router.vtysh("show bgp neighbors json"));
  return Object.fromEntries(
    Object.entries(neighbors).map(([address, neighbor]) => [address, neighbor["bgpTimerUpEstablishedEpoch"]]),
  );
}

/** Ten echo requests a second for six seconds. @returns ping's summary */
async function pingSteadily({ client }: Lab, address: string): Promise<string> {
  const argv = ["ping", "-n", "-q", "-i", "0.1", "-c", "60", "-W", "1", address];
  return (await client.exec(argv, { timeoutMs: 20_000 })).stdout;
}

function hostRouteOf(pod: Sandbox, family: Family): string {
  return `${pod.address(family)}/${family === 4 ? 32 : 128}`;
}
