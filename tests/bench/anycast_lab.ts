/** The network in which anycast is measured: three nodes with agents, one whose BIRD is configured by hand, and two routers that all tell. */
import { BIRD_CONFIG, BIRD_SOCKET } from "../../src/paths/paths.ts";
import { configOf, prefixesOf } from "../e2e/_cluster.ts";
import { now } from "../e2e/_service_pod.ts";
import { type BgpWire, listenToBgp } from "../lab/bgp_wire.ts";
import { startBirdRouter } from "../lab/bird_router.ts";
import { createLab, type Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { type RouteWatch, watchRoutes } from "../lab/route_watch.ts";
import { CONTROL_PLANE, ROUTER, ROUTER_ASN } from "../lab/topology.ts";

/** Room for as many pods as are measured. */
const CIDRS4 = ["198.18.4.0/22", "198.18.8.0/22", "198.18.12.0/22"];
const FAMILIES = [4, 6] as const;
const PEERS = [ROUTER, CONTROL_PLANE].flatMap((router) =>
  FAMILIES.map((family) => ({ address: router[family], asn: ROUTER_ASN }))
);

export interface AnycastLab extends AsyncDisposable {
  readonly lab: Lab;
  /** With flock. */
  readonly nodes: readonly [LabNode, LabNode, LabNode];
  /** Without. */
  readonly byHand: LabNode;
  /** At the router, which is FRR. */
  readonly wire: BgpWire;
  readonly frr: RouteWatch;
  /** Of the second router, BIRD. */
  readonly bird: RouteWatch;
}

/** Resolves when both routers have every node's prefixes. @param flock the executable */
export async function createAnycastLab(flock: string): Promise<AnycastLab> {
  const lab = await createLab({ nodes: 4, api: "embedded", flock });
  try {
    const [first, second, third, byHand] = lab.nodes;
    if (first === undefined || second === undefined || third === undefined || byHand === undefined) {
      throw new Error("Cannot measure anycast: the lab has too few nodes");
    }
    await startBirdRouter(lab.controlPlane, { routerId: CONTROL_PLANE[4] });
    const nodes: AnycastLab["nodes"] = [first, second, third];
    await Promise.all(nodes.map((node, index) => startNode(lab, node, CIDRS4[index] ?? "")));
    const wire = await listenToBgp(lab.router, { link: "br0", directory: lab.dir });
    const [frr, bird] = [await watchRoutes(lab.router), await watchRoutes(lab.controlPlane)];
    return { lab, nodes, byHand, wire, frr, bird, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

async function startNode(lab: Lab, node: LabNode, cidr4: string): Promise<void> {
  const config = configOf(node, { cidr4: [cidr4], bgp: { asn: node.spec.asn, peers: PEERS } });
  await Promise.all([lab.api.apply(config), node.startBird(), node.startAgent()]);
  const [, cidr6 = ""] = prefixesOf(node);
  await Promise.all([cidr4, cidr6].map((prefix) => lab.router.waitForRoute(prefix)));
}

/** A file that an operator might have written, of the same sessions and about as many routes. */
export function renderByHand({ spec }: LabNode, routes: readonly string[]): string {
  const sessions = PEERS.map(({ address, asn }, index) => `
protocol bgp router${index} {
  local as ${spec.asn};
  neighbor ${address} as ${asn};
  connect delay time 1;
  ipv${address.includes(":") ? 6 : 4} { import all; export where source = RTS_STATIC; next hop self; };
}`);
  const statics = routes.map((prefix) => `  route ${prefix} blackhole;`).join("\n");
  const head = `log stderr all;\nrouter id 192.0.2.${spec.asn - 65_000};\nprotocol device {}`;
  return `${head}\n${sessions.join("\n")}\nprotocol static service {\n  ipv6;\n${statics}\n}\n`;
}

/** Reloads the BIRD of the node without flock by its own tool. @returns the moment before, in milliseconds since the epoch */
export async function reloadByHand({ lab, byHand }: AnycastLab, text: string): Promise<number> {
  await byHand.write(BIRD_CONFIG, text);
  const argv = ["/usr/sbin/birdc", "-s", byHand.outside(BIRD_SOCKET), "configure"] as const;
  const at = now();
  const { stdout } = await lab.runner.run(argv);
  if (!stdout.includes("Reconfigured")) throw new Error(`Cannot count a reload by hand: ${stdout}`);
  return at;
}
