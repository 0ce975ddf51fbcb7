/** What stands behind `allowed` on the command line: `FROM TO:PORT`. */
import { type Address, FAMILIES, parseAddress } from "../../ip/address.ts";
import type { PacketDraft } from "../../trace/packet.ts";
import type { Flow, FlowEnd } from "./judge_flow.ts";

/** Whose flow is asked about, as the operator says it. */
export type EndName = { readonly pod: string } | { readonly address: Address };

export interface FlowQuestion {
  readonly from: EndName;
  readonly to: EndName;
  readonly protocol: PacketDraft["protocol"];
  readonly port?: number;
}

/** Who is on the node. */
export interface Neighbourhood {
  readonly pods: readonly LocalPod[];
  /** The node's own. Canonical text. */
  readonly nodeAddresses: ReadonlySet<string>;
}

/** One attachment of a pod: one whose sandbox is being made anew may have two. */
export interface LocalPod {
  readonly name: string;
  readonly link: string;
  /** Of its interface, the one of each family that it is known by first. */
  readonly addresses: readonly Address[];
  readonly anycast: readonly Address[];
}

const PORT = /^(.+):(?:(\d{1,5})(?:\/(tcp|udp|sctp))?|(icmp))$/;
const POD = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?\/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
const MAX_PORT = 65535;

/** @returns what is asked, or what is wrong with the words */
export function parseFlowQuestion(words: readonly string[]): FlowQuestion | string {
  const [first, second] = words;
  if (first === undefined || second === undefined || words.length > 2) return "it takes FROM and TO:PORT";
  const [, name = "", number, protocol = "tcp", icmp] = PORT.exec(second) ?? [];
  const [from, to, port] = [parseEnd(first), parseEnd(name), Number(number)];
  if (name === "") return `"${second}" is not TO:PORT: a port is 80, 80/udp or 80/sctp, or icmp`;
  if (from === undefined) return `"${first}" is neither NAMESPACE/POD nor an IP address`;
  if (to === undefined) return `"${name}" is neither NAMESPACE/POD nor an IP address ([...]:80 for IPv6)`;
  if (icmp !== undefined) return { from, to, protocol: "icmp" };
  return port > 0 && port <= MAX_PORT ? { from, to, protocol: protocolOf(protocol), port } : `${number} is no port`;
}

/** @returns the flows that are meant: of each family that both ends have, and to each pod that has the address; or why there is none */
export function flowsOf({ from, to, protocol, port }: FlowQuestion, near: Neighbourhood): readonly Flow[] | string {
  const [sources, targets] = [endsOf(from, near), endsOf(to, near)];
  if (typeof sources === "string") return sources;
  if (typeof targets === "string") return targets;
  const pairs = sources.flatMap((source) =>
    targets.filter(({ address }) => address.family === source.address.family).map((target) => [source, target] as const)
  );
  if (pairs.length === 0) return "they have no IP family in common";
  return pairs.map(([from, to]) => ({ from, to, protocol, ...(port === undefined ? {} : { port }) }));
}

function parseEnd(text: string): EndName | undefined {
  const address = parseAddress(text.replace(/^\[(.*)\]$/, "$1"));
  if (address !== undefined) return { address };
  return POD.test(text) ? { pod: text } : undefined;
}

function protocolOf(text: string): PacketDraft["protocol"] {
  return text === "udp" || text === "sctp" ? text : "tcp";
}

function endsOf(end: EndName, { pods, nodeAddresses }: Neighbourhood): readonly FlowEnd[] | string {
  if ("pod" in end) {
    const found = pods.filter(({ name }) => name === end.pod);
    if (found.length === 0) return `pod ${end.pod} is not on this node: give its address instead of its name`;
    return found.flatMap((pod) => FAMILIES.flatMap((family) => firstOf(pod, family)));
  }
  const { address } = end;
  if (nodeAddresses.has(address.text)) return [{ at: "node", address }];
  const owners = pods.filter((pod) => [...pod.addresses, ...pod.anycast].some(({ text }) => text === address.text));
  return owners.length === 0 ? [{ at: "elsewhere", address }] : owners.map((pod) => placeOf(pod, address));
}

function firstOf(pod: LocalPod, family: Address["family"]): FlowEnd[] {
  const address = pod.addresses.find((each) => each.family === family);
  return address === undefined ? [] : [placeOf(pod, address)];
}

function placeOf({ name, link }: LocalPod, address: Address): FlowEnd {
  return { at: "pod", name, link, address };
}
