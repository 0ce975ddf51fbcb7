import { InvalidInput } from "../fault/invalid_input.ts";
import { contains, parseInterfaceAddress, type Prefix, prefixOf } from "../ip/address.ts";
import { expectObject, type Fields, fieldsOf, isAbsent, isText, readList, readObject, refuse } from "../json/fields.ts";
import { ANYTHING, parseLabelSelector } from "./label_selector.ts";
import {
  type BlockPeer,
  type Direction,
  DIRECTIONS,
  type LabelSelector,
  type NetworkPolicy,
  type PodPeer,
  type PolicyPort,
  type PolicyRule,
  type PortRange,
  type Protocol,
} from "./network_policy.ts";

const PROTOCOLS_OF_API: ReadonlyMap<unknown, Protocol> = new Map([["TCP", "tcp"], ["UDP", "udp"], ["SCTP", "sctp"]]);
const DIRECTIONS_OF_API: ReadonlyMap<unknown, Direction> = new Map([["Ingress", "ingress"], ["Egress", "egress"]]);
/** The rules' own name for their peers. */
const PEERS_FIELD: Readonly<Record<Direction, string>> = { ingress: "from", egress: "to" };
const FIELDS: readonly string[] = ["podSelector", "policyTypes", ...DIRECTIONS];
const MAX_PORT = 65535;
const MAPPED = { family: 6, base: 0xffff00000000n, length: 96, text: "::ffff:0:0/96" } as const;

/** What is read of a policy: as it is, or once something in it cannot be read. */
type Spec = Pick<NetworkPolicy, "podSelector" | "rules" | "defect">;

/**
 * Reads a NetworkPolicy. Never throws, whatever the object holds: what cannot be read becomes a `defect`.
 *
 * A null is what an absent field is (NP-06). Only the directions that the policy is about are read.
 *
 * @param raw a `networking.k8s.io/v1` NetworkPolicy as the API server sends it
 * @returns undefined when it lacks namespace or name
 */
export function parseNetworkPolicy(raw: unknown): NetworkPolicy | undefined {
  const { metadata, spec } = fieldsOf(raw);
  const { namespace, name } = fieldsOf(metadata);
  if (!isText(namespace) || !isText(name)) return undefined;
  return { namespace, name, ...readSpec(spec) };
}

function readSpec(raw: unknown): Spec {
  const spec = isAbsent(raw) ? {} : raw;
  const podSelector = attempt(() => parsePodSelector(spec));
  const directions = attempt(() => parseDirections(readObject("spec", spec, FIELDS)));
  const rules = attempt(() => parseRules(fieldsOf(spec), directions.value ?? []));
  const defect = podSelector.defect ?? directions.defect ?? rules.defect;
  if (defect === undefined) return { podSelector: podSelector.value ?? ANYTHING, rules: rules.value ?? {} };
  return {
    podSelector: podSelector.value ?? ANYTHING,
    rules: Object.fromEntries((directions.value ?? DIRECTIONS).map((direction) => [direction, []])),
    defect,
  };
}

/** @returns what was read, or why not */
function attempt<T>(read: () => T): { readonly value?: T; readonly defect?: string } {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof InvalidInput) return { defect: error.message };
    throw error;
  }
}

function parsePodSelector(spec: unknown): LabelSelector {
  const { podSelector } = expectObject("spec", spec);
  return isAbsent(podSelector) ? ANYTHING : parseLabelSelector("spec.podSelector", podSelector);
}

/** Without policyTypes: ingress always, egress when there are rules for it (NP-10). */
function parseDirections({ policyTypes, egress }: Fields): readonly Direction[] {
  const types = readList("spec.policyTypes", policyTypes);
  if (types.length === 0) return readList("spec.egress", egress).length > 0 ? DIRECTIONS : ["ingress"];
  const named = types.map((type, index) =>
    DIRECTIONS_OF_API.get(type) ?? refuse(`spec.policyTypes[${index}]`, type, "must be Ingress or Egress")
  );
  return DIRECTIONS.filter((direction) => named.includes(direction));
}

function parseRules(spec: Fields, directions: readonly Direction[]): NetworkPolicy["rules"] {
  return Object.fromEntries(directions.map((direction) => {
    const field = `spec.${direction}`;
    const list = readList(field, spec[direction]);
    return [direction, list.map((rule, index) => parseRule(`${field}[${index}]`, { rule, direction }))];
  }));
}

function parseRule(field: string, { rule, direction }: { rule: unknown; direction: Direction }): PolicyRule {
  const peersField = PEERS_FIELD[direction];
  const fields = readObject(field, rule, [peersField, "ports"]);
  const peers = readList(`${field}.${peersField}`, fields[peersField]);
  const ports = readList(`${field}.ports`, fields["ports"]);
  return {
    ...(peers.length > 0 && { peers: peers.map((peer, i) => parsePeer(`${field}.${peersField}[${i}]`, peer)) }),
    ...(ports.length > 0 && { ports: ports.map((port, i) => parsePort(`${field}.ports[${i}]`, port)) }),
  };
}

function parsePeer(field: string, raw: unknown): PodPeer | BlockPeer {
  const peer = readObject(field, raw, ["podSelector", "namespaceSelector", "ipBlock"]);
  const { podSelector, namespaceSelector, ipBlock } = peer;
  const bySelector = !isAbsent(podSelector) || !isAbsent(namespaceSelector);
  if (bySelector !== isAbsent(ipBlock)) refuse(field, raw, "must have either selectors or an ipBlock");
  if (!bySelector) return parseBlock(`${field}.ipBlock`, ipBlock);
  const selector = (name: string): LabelSelector => parseLabelSelector(`${field}.${name}`, peer[name]);
  return {
    kind: "pods",
    ...(!isAbsent(namespaceSelector) && { namespaces: selector("namespaceSelector") }),
    pods: isAbsent(podSelector) ? ANYTHING : selector("podSelector"),
  };
}

function parseBlock(field: string, raw: unknown): BlockPeer {
  const { cidr, except } = readObject(field, raw, ["cidr", "except"]);
  const block = parseCidr(`${field}.cidr`, cidr);
  const exceptions = readList(`${field}.except`, except).map((each, index) => {
    const prefix = parseCidr(`${field}.except[${index}]`, each);
    return contains(block, prefix) ? prefix : refuse(`${field}.except[${index}]`, each, `must be inside ${block.text}`);
  });
  return { kind: "block", cidr: block, except: exceptions };
}

/** Go reads `::ffff:10.0.0.0/104` as IPv4 here and as IPv6 there; no packet has such an address. */
function parseCidr(field: string, raw: unknown): Prefix {
  const parsed = typeof raw === "string" ? parseInterfaceAddress(raw) : undefined;
  if (parsed === undefined) refuse(field, raw, "must be a CIDR, like 192.0.2.0/24 or 2001:db8::/32");
  const { address, length } = parsed;
  if (contains(MAPPED, address)) refuse(field, raw, "must not be of IPv4-mapped addresses");
  return prefixOf(address, length);
}

function parsePort(field: string, raw: unknown): PolicyPort {
  const { protocol: named, port, endPort } = readObject(field, raw, ["protocol", "port", "endPort"]);
  const protocol = isAbsent(named) ? "tcp" : PROTOCOLS_OF_API.get(named);
  if (protocol === undefined) refuse(`${field}.protocol`, named, "must be TCP, UDP or SCTP");
  if (!isAbsent(endPort) && typeof port !== "number") {
    refuse(`${field}.endPort`, endPort, "must come with a number as port");
  }
  if (isAbsent(port)) return { kind: "range", protocol, range: { first: 0, last: MAX_PORT } };
  if (isText(port)) return { kind: "named", protocol, name: port };
  return { kind: "range", protocol, range: parseRange(field, { port, endPort: endPort ?? port }) };
}

function parseRange(field: string, { port, endPort }: { port: unknown; endPort: unknown }): PortRange {
  if (!isPort(port)) refuse(`${field}.port`, port, `must be a number from 1 to ${MAX_PORT} or a name`);
  if (!isPort(endPort) || endPort < port) {
    refuse(`${field}.endPort`, endPort, `must be a number from port to ${MAX_PORT}`);
  }
  return { first: port, last: endPort };
}

function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_PORT;
}
