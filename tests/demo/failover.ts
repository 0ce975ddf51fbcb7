/** The demo's chapter on anycast: one address on two nodes, and what a client notices when one of its pods is deleted. */
import { assertEquals } from "@std/assert";
import { type BgpWire, listenToBgp } from "../lab/bgp_wire.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import type { LabPod } from "../lab/pods.ts";
import { type RouteEvent, watchRoutes } from "../lab/route_watch.ts";
import { askFlows, startLoad, startResponder } from "../lab/traffic.ts";
import type { LoadReport } from "../lab/udp_load.ts";
import type { Screen } from "./screen.ts";

const SERVICE = { 6: "2001:db8:a::53", 4: "198.18.0.53" } as const;
const BOTH = Object.values(SERVICE);
const PREFIX = `${SERVICE[6]}/128`;
const FLOWS = 1_000;
const GRACE_S = 30;
/** For so long a deleted pod goes on answering. */
const DRAIN_MS = 700;

/** A pod behind the address on each node; then the one on node-a is deleted. */
export async function anycast({ lab }: { readonly lab: Lab }, screen: Screen): Promise<void> {
  const pods: LabPod[] = [];
  await screen.check("one address on a pod of each node", async () => {
    for (const node of lab.nodes) pods.push(await startServer(node));
    for (const address of BOTH) await lab.router.waitForPaths(`${address}/${address.includes(":") ? 128 : 32}`, 2);
    const answers = [...(await askFlows(lab.client, SERVICE[6], FLOWS)).values()];
    const shares = pods.map(({ name }) => `${name} ${answers.filter((answer) => answer === name).length}`);
    assertEquals(answers.length, FLOWS);
    return `${BOTH.join(" and ")}; of ${FLOWS} flows ${shares.join(", ")}`;
  });
  await screen.check("one is deleted, at 1000 requests a second", async () => {
    const { report, timeline } = await failOver(lab, pods[0]);
    assertEquals(report.lost, 0);
    for (const line of timeline) screen.print(`      ${screen.paint(line, "cyan")}`);
    return `${report.sent} requests, all answered`;
  });
  await Promise.all(pods.map((pod) => pod.remove()));
}

async function startServer(node: LabNode): Promise<LabPod> {
  const name = `dns-${node.name.slice(-1)}`;
  const pod = await node.runPod({ name, annotations: { "flock.fritzlab.net/anycast": BOTH.join() } });
  await startResponder(pod, { name, addresses: BOTH });
  return pod;
}

async function failOver(lab: Lab, pod: LabPod | undefined): Promise<{ report: LoadReport; timeline: string[] }> {
  await using wire = await listenToBgp(lab.router, { link: "br0", directory: lab.dir });
  await using routes = await watchRoutes(lab.router);
  const load = await startLoad(lab.client, SERVICE[6]);
  const at = performance.timeOrigin + performance.now();
  await pod?.terminate(GRACE_S);
  await lab.router.waitForPaths(PREFIX, 1);
  await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
  const report = await load.stop();
  return { report, timeline: await tell({ at, wire, events: await routes.events() }) };
}

/** @returns a line for each thing that happened, with the milliseconds since the deletion */
async function tell(
  { at, wire, events }: { readonly at: number; readonly wire: BgpWire; readonly events: readonly RouteEvent[] },
): Promise<string[]> {
  const told = await wire.first("the withdrawal", (it) => it.at > at && it.withdrawn.includes(PREFIX));
  const moved = events.find((event) => event.at > at && event.prefix === PREFIX);
  const line = (moment: number, what: string): string => `${`+${(moment - at).toFixed(1)}`.padStart(8)} ms  ${what}`;
  return [
    line(at, "kubectl delete pod dns-a: it has a deletionTimestamp, and goes on answering"),
    line(told.at, `node-a withdraws ${PREFIX}: UPDATE on the wire`),
    ...(moved === undefined ? [] : [line(moved.at, "the router's kernel sends everything to dns-b")]),
  ];
}
