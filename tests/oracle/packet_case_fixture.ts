/** Three pods of one namespace on a node, and packets between them: for scenes in which one follows from another. */
import { assertEquals } from "@std/assert";
import { renderPolicyTable } from "../../src/policy/render_policy_table.ts";
import { ipBytes, tcpPacket, udpPacket } from "../lab/ip_packet.ts";
import { compileRaw } from "./compile_raw.ts";
import { nft, type NodeRig, type Sending } from "./node_rig.ts";
import type { LocalPod, RawPod, RawPolicy, RawRule, RawWorld } from "./raw_objects.ts";
import { ANYCAST } from "./universe.ts";
import { addressOf, identityOf } from "./wire.ts";

export const WEB = "flock00000001";
export const CLIENT = "flock00000002";
export const OTHER = "flock00000003";
export const OF = {
  [WEB]: { 4: "10.0.0.1", 6: "2001:db8::1" },
  [CLIENT]: { 4: "10.0.0.2", 6: "2001:db8::2" },
  [OTHER]: { 4: "10.0.0.3", 6: "2001:db8::3" },
} as const;
export const STRANGER = { 4: "198.51.100.7", 6: "3fff::7" } as const;
export const ROUTER = { 4: "203.0.113.1", 6: "2001:db8:ffff::1" } as const;
export const FAMILIES = [4, 6] as const;
let flow = 20_000;

/** @returns a number that no flow before had: connection tracking takes none for another's */
export function nextFlow(): number {
  return flow++;
}

function pod(name: string, { link, anycast = [] }: { link: keyof typeof OF; anycast?: readonly string[] }): RawPod {
  const annotations = anycast.length === 0 ? {} : { "flock.fritzlab.net/anycast": anycast.join() };
  const podIPs = Object.values(OF[link]).map((address) => ({ ip: address }));
  return {
    metadata: { namespace: "a", name, uid: name, labels: { app: name }, annotations },
    spec: { containers: [{ name: "c", ports: [{ name: "http", containerPort: 80 }] }] },
    status: { phase: "Running", podIPs },
  };
}

const PODS = [
  pod("web", { link: WEB, anycast: ANYCAST }),
  pod("client", { link: CLIENT }),
  pod("other", { link: OTHER }),
];
export const LOCAL: readonly LocalPod[] = [WEB, CLIENT, OTHER].map((link, i) => ({
  ...{ link, namespace: "a", name: PODS[i]?.metadata.name ?? "" },
  addresses: [...Object.values(OF[link as keyof typeof OF]), ...(link === WEB ? ANYCAST : [])],
}));

/** A policy for the pod whose label `app` is this. */
function policy(app: string, spec: RawPolicy["spec"]): RawPolicy {
  return {
    metadata: { namespace: "a", name: `${app}-${nextFlow()}`, uid: "" },
    spec: { podSelector: { matchLabels: { app } }, ...spec },
  };
}

export const deny = (app: string): RawPolicy => policy(app, { policyTypes: ["Ingress", "Egress"] });
export const admit = (app: string, rule: RawRule): RawPolicy =>
  policy(app, { policyTypes: ["Ingress"], ingress: [rule] });
export const letOut = (app: string, rule: RawRule): RawPolicy =>
  policy(app, { policyTypes: ["Egress"], egress: [rule] });
export const from = (app: string): RawRule => ({ from: [{ podSelector: { matchLabels: { app } } }] });

export async function load(policies: readonly RawPolicy[]): Promise<void> {
  const world: RawWorld = { policies, namespaces: [], pods: PODS, local: LOCAL };
  await nft(renderPolicyTable(compileRaw(world)));
}

export interface Way {
  readonly by: string;
  readonly from: string;
  readonly to: string;
}

export const ends = (
  way: Pick<Way, "from" | "to">,
): { from: ReturnType<typeof addressOf>; to: ReturnType<typeof addressOf> } => ({
  from: addressOf(way.from),
  to: addressOf(way.to),
});

export function tcp({ by, ...way }: Way, port: number, flags: "syn" | "rst" | "ack" = "syn"): Sending {
  return { cameBy: by, packet: tcpPacket(ends(way), { ports: { source: nextFlow(), destination: port }, flags }) };
}

export function udp({ by, ...way }: Way, port: number): Sending {
  return { cameBy: by, packet: udpPacket(ends(way), { ports: { source: nextFlow(), destination: port } }) };
}

/** Each alone, in order: a reply is none before what it replies to has passed. */
async function passes(rig: NodeRig, sending: Sending): Promise<boolean> {
  const arrivals = await rig.exchange([sending]);
  return arrivals.some(({ bytes }) => identityOf(bytes) === identityOf(sending.bytes ?? ipBytes(sending.packet)));
}

type Expectation = readonly [what: string, sending: Sending, passes: boolean];

export async function expectAll(rig: NodeRig, expectations: readonly Expectation[]): Promise<void> {
  for (const [what, sending, expected] of expectations) assertEquals(await passes(rig, sending), expected, what);
}

export const pair = (source: keyof typeof OF, destination: keyof typeof OF, family: 4 | 6): Way => ({
  ...{ by: source, from: OF[source][family], to: OF[destination][family] },
});

/** The answer's ports, given those of the question. */
export function turned({ packet }: Sending, by: string): Sending {
  const view = new DataView(packet.body.buffer, packet.body.byteOffset);
  const ports = { source: view.getUint16(2), destination: view.getUint16(0) };
  const way = { from: packet.to, to: packet.from };
  return {
    cameBy: by,
    packet: packet.protocol === 6 ? tcpPacket(way, { ports, flags: "synAck" }) : udpPacket(way, { ports }),
  };
}
