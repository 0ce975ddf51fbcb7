/** What the routers see: sessions, restarts of BIRD, and a NodeConfig whose CIDRs change. */
import { assertEquals, assertLessOrEqual, assertMatch, assertStringIncludes } from "@std/assert";
import type { Family } from "../../src/ip/address.ts";
import { startBirdRouter } from "../lab/bird_router.ts";
import { record } from "../lab/json.ts";
import { createLab, type Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { CONTROL_PLANE, ROUTER, ROUTER_ASN } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { configOf, configPath, expectPing, prefixesOf, startCluster, untilCondition, untilLogged } from "./_cluster.ts";
import { addSandbox } from "./_sandbox.ts";

const FAMILIES = [4, 6] as const;
/** FRR reckons the moment anew each time that it is asked, in whole seconds. A session that was reset comes up later than that. */
const ROUNDING_S = 1;

Deno.test("a NodeConfig that changes costs no session and no packet", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const since = await establishedSince(lab);
  await t.step("sessions with a second router of each family", async () => {
    await startBirdRouter(lab.controlPlane, { routerId: CONTROL_PLANE[4] });
    const peers = [ROUTER, CONTROL_PLANE].flatMap((router) =>
      FAMILIES.map((family) => ({ address: router[family], asn: ROUTER_ASN }))
    );
    const { metadata } = await lab.api.patch(configPath(node), { spec: { bgp: { asn: node.spec.asn, peers } } });
    const generation = Number(record(metadata)["generation"]);
    const established = await untilCondition(lab, node, { type: "BGPEstablished", reason: "Established", generation });
    assertMatch(established, /^4 of 4 sessions/);
    const pod = await addSandbox(node);
    for (const family of FAMILIES) {
      await untilSecondRouterKnows(lab, node, family);
      await expectPing(lab.client, pod.address(family));
      await expectPing(lab.controlPlane, pod.address(family));
    }
    await pod.remove();
  });
  await t.step("a new CIDR for new pods; live ones stay, advertised until they go (T-REL-24)", async () => {
    const old = await addSandbox(node);
    const hostRoutes = FAMILIES.map((family) => `${old.address(family)}/${family === 4 ? 32 : 128}`);
    const pings = FAMILIES.map((family) => pingSteadily(lab, old.address(family), { seconds: 3 }));
    await lab.api.patch(configPath(node), { spec: { cidr4: ["203.0.113.192/27"], cidr6: ["2001:db8:f0aa::/64"] } });
    for (const prefix of ["203.0.113.192/27", "2001:db8:f0aa::/64", ...hostRoutes]) {
      await lab.router.waitForRoute(prefix);
    }
    for (const prefix of prefixesOf(node)) await lab.router.waitForNoRoute(prefix);
    const young = await addSandbox(node);
    assertEquals(young.address(4), "203.0.113.194");
    assertMatch(young.address(6), /^2001:db8:f0aa:/);
    for (const summary of await Promise.all(pings)) assertStringIncludes(summary, " 0% packet loss");
    await old.remove();
    for (const prefix of hostRoutes) await lab.router.waitForNoRoute(prefix);
    for (const family of FAMILIES) await expectPing(lab.client, young.address(family));
  });
  await t.step("the first router's sessions have stayed up all the time", async () => {
    const now = await establishedSince(lab);
    assertEquals(now.map(({ address }) => address), since.map(({ address }) => address));
    for (const [index, { epoch }] of now.entries()) assertLessOrEqual(epoch - (since[index]?.epoch ?? 0), ROUNDING_S);
  });
  await t.step(
    "one peer gets a password, whose file comes later; the other sessions stay up",
    async () => {
      const before = await establishedSince(lab);
      const peers = [ROUTER, CONTROL_PLANE].flatMap((router) =>
        FAMILIES.map((family) => ({
          ...{ address: router[family], asn: ROUTER_ASN },
          ...(router === ROUTER && family === 4 && { password: { file: "router-a" } }),
        }))
      );
      const { metadata } = await lab.api.patch(configPath(node), { spec: { bgp: { peers } } });
      const [type, generation] = ["BGPEstablished", Number(record(metadata)["generation"])];
      const said = await untilCondition(lab, node, { type, reason: "NotAsConfigured", generation });
      assertStringIncludes(
        said,
        `no session with ${ROUTER[4]}: password file "router-a": there is no such file`,
      );
      const words = ["configure terminal", `router bgp ${ROUTER_ASN}`, "neighbor N4 password s3cret"];
      await lab.router.output(["vtysh", ...words.flatMap((word) => ["-c", word])]);
      await node.write("/etc/flock/passwords/router-a", "s3cret\n");
      await untilCondition(lab, node, { type, reason: "Established", generation });
      const anew = async (): Promise<string[]> => {
        const epochs = new Map(before.map(({ address, epoch }) => [address, epoch]));
        const now = await establishedSince(lab);
        return now.filter(({ address, epoch }) => epoch - (epochs.get(address) ?? 0) > ROUNDING_S)
          .map(({ address }) => address);
      };
      await until("the session is a new one", async () => (await anew()).length > 0);
      assertEquals(await anew(), [node.spec.addresses[4]]);
    },
  );
});

Deno.test("BIRD killed and started again costs no packet, and gets its configuration again", async () => {
  await using lab = await createLab({ nodes: 1, api: "embedded" });
  const node = lab.node("node-a");
  const [bird] = await Promise.all([node.startBird(), lab.api.apply(configOf(node)), node.startAgent()]);
  for (const prefix of prefixesOf(node)) await lab.router.waitForRoute(prefix);
  const pod = await addSandbox(node);
  const pings = FAMILIES.map((family) => pingSteadily(lab, pod.address(family), { seconds: 6 }));
  const mark = (await node.readLog("agent")).length;
  await bird.stop("SIGKILL");
  await untilLogged(node, ["BIRD does not answer"], { after: mark });
  for (const prefix of prefixesOf(node)) await lab.router.waitForRoute(prefix);
  await node.startBird({ arguments: ["-R"] });
  await untilLogged(node, ["BIRD reconfigured"], { after: mark });
  await untilLogged(node, ["BGP session", '"Established"'], { after: mark });
  for (const summary of await Promise.all(pings)) assertStringIncludes(summary, " 0% packet loss");
});

/** @returns when each session of the first router came up, as FRR says, in seconds since the epoch */
async function establishedSince({ router }: Lab): Promise<{ address: string; epoch: number }[]> {
  const neighbors = record(JSON.parse(await router.vtysh("show bgp neighbors json")));
  return Object.entries(neighbors).map(([address, neighbor]) => ({
    address,
    epoch: Number(record(neighbor)["bgpTimerUpEstablishedEpoch"]),
  }));
}

async function untilSecondRouterKnows({ controlPlane }: Lab, { spec }: LabNode, family: Family): Promise<void> {
  const argv = ["ip", `-${family}`, "route", "show", "exact", family === 4 ? spec.cidr4 : spec.cidr6];
  const via = `via ${spec.addresses[family]} dev up0`;
  await until(`the second router goes ${via}`, async () => (await controlPlane.output(argv)).includes(via));
}

/** Ten echo requests a second. @returns ping's summary */
async function pingSteadily({ client }: Lab, address: string, { seconds }: { seconds: number }): Promise<string> {
  const argv = ["ping", "-n", "-q", "-i", "0.1", "-c", `${10 * seconds}`, "-W", "1", address];
  return (await client.exec(argv, { timeoutMs: 20_000 })).stdout;
}
