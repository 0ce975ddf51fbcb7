/** Three nodes that announce one address by hand: what the lab sees of it, before flock has any part in it. */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { BIRD_CONFIG } from "../../src/paths/paths.ts";
import { listenToBgp } from "./bgp_wire.ts";
import { createLab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { watchRoutes } from "./route_watch.ts";
import { ROUTER, ROUTER_ASN } from "./topology.ts";
import { askFlows, startLoad, startResponder } from "./traffic.ts";
import { until } from "./until.ts";

const SERVICE = { 4: "198.18.0.1", 6: "2001:db8:a::1" } as const;
const PREFIXES = { 4: "198.18.0.1/32", 6: "2001:db8:a::1/128" } as const;
const FLOWS = 600;

Deno.test("the router shares one address between three nodes, and the wire tells when each came and went", async (t) => {
  await using lab = await createLab({ nodes: 3, api: "none" });
  await using wire = await listenToBgp(lab.router, { link: "br0", directory: lab.dir });
  await using routes = await watchRoutes(lab.router);
  await Promise.all(lab.nodes.map(announce));
  for (const prefix of Object.values(PREFIXES)) await lab.router.waitForPaths(prefix, 3);
  await t.step("every node answers its share of the flows, and each flow stays", async () => {
    for (const family of [4, 6] as const) {
      const [first, second] = [
        await askFlows(lab.client, SERVICE[family], FLOWS),
        await askFlows(lab.client, SERVICE[family], FLOWS),
      ];
      assertEquals(first.size, FLOWS);
      assertEquals(second, first);
      const shares = Map.groupBy(first.values(), (name) => name);
      for (const { name } of lab.nodes) assertGreater(shares.get(name)?.length ?? 0, FLOWS / 3 / 2, `${family}`);
    }
  });
  await t.step("a node that takes itself out costs nothing; one that no longer answers does", async () => {
    const load = await startLoad(lab.client, SERVICE[6]);
    const before = performance.timeOrigin + performance.now();
    await lab.node("node-a").output(["birdc", "-s", "/run/flock/bird.ctl", "disable", "service6"]);
    const withdrawal = await wire.first("the withdrawal", ({ withdrawn }) => withdrawn.includes(PREFIXES[6]));
    assertEquals(withdrawal.from, lab.node("node-a").spec.addresses[6]);
    assertLess(Math.abs(withdrawal.at - before), 1000);
    await until("the router's kernel has another route", async () => {
      const events = await routes.events();
      return events.some(({ at, prefix, deleted }) => prefix === PREFIXES[6] && !deleted && at > withdrawal.at);
    });
    const report = await load.stop();
    assertEquals([report.lost, Object.keys(report.by).length], [0, 3], JSON.stringify(report));
    assertGreater(report.sent, 20); // as long as the withdrawal took
    const doomed = await startLoad(lab.client, SERVICE[6]);
    await lab.node("node-b").output(["ip", "address", "del", PREFIXES[6], "dev", "lo"]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assertGreater((await doomed.stop()).lost, 10); // of a third of two hundred
  });
  await t.step("sessions and announcements are on the wire, from each node", async () => {
    const heard = await wire.heard();
    for (const { spec } of lab.nodes) {
      for (const family of [4, 6] as const) {
        const sent = heard.filter(({ from }) => from === spec.addresses[family]);
        assertEquals(sent.filter(({ type }) => type === "OPEN").length, 1);
        assert(sent.some(({ announced }) => announced.includes(PREFIXES[family])), `${spec.name} IPv${family}`);
      }
    }
  });
});

/** The address on the node's own `lo`, a responder, and a BIRD that says so. */
async function announce(node: LabNode): Promise<void> {
  for (const family of [4, 6] as const) {
    await node.output(["ip", "address", "add", PREFIXES[family], "dev", "lo", ...(family === 6 ? ["nodad"] : [])]);
  }
  await startResponder(node, { name: node.name, addresses: Object.values(SERVICE) });
  await node.write(BIRD_CONFIG, birdConfig(node));
  await node.startBird();
}

function birdConfig({ spec }: LabNode): string {
  const families = ([4, 6] as const).map((family) => `
    protocol static service${family} { ipv${family}; route ${PREFIXES[family]} blackhole; }
    protocol bgp router${family} {
      local as ${spec.asn};
      neighbor ${ROUTER[family]} as ${ROUTER_ASN};
      connect delay time 1;
      ipv${family} { import none; export where source = RTS_STATIC; next hop self; };
    }`);
  return `log stderr all;\nrouter id 192.0.2.${spec.asn - 65000};\nprotocol device {}\n${families.join("\n")}\n`;
}
