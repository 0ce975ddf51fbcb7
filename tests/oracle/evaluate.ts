/**
 * Whether one packet may pass, straight from the text of the API (networking/v1 types.go, "Network Policies" of
 * kubernetes.io) and from the objects as the API server sends them. Slow and plain on purpose: it is what the compiler
 * is held against, and shares nothing with it.
 */
import { directionsOf, isDefective, isReadable } from "./defects.ts";
import { isInBlock } from "./ip_bits.ts";
import { type Direction, NODE, type Packet } from "./packet.ts";
import {
  addressesOf,
  type LocalPod,
  podOf,
  type RawBlock,
  type RawPeer,
  type RawPod,
  type RawPolicy,
  type RawPort,
  type RawRequirement,
  type RawRule,
  type RawSelector,
  type RawWorld,
} from "./raw_objects.ts";

type RawLabels = Readonly<Record<string, string>>;

/** What one rule is asked about. */
interface Question {
  readonly world: RawWorld;
  readonly packet: Packet;
  readonly direction: Direction;
  readonly policy: RawPolicy;
  readonly target: RawPod;
}

/** @returns whether this node lets the packet pass: its pods are judged here, those of other nodes there */
export function isAllowed(world: RawWorld, packet: Packet): boolean {
  if (packet.state === "established" || packet.state === "related") return true;
  const sender = world.local.find(({ link }) => link === packet.cameBy);
  const receiver = world.local.find(({ link }) => link === packet.leavesBy);
  return isDirectionAllowed(sender, { world, packet, direction: "egress" }) &&
    (packet.cameBy === NODE || isDirectionAllowed(receiver, { world, packet, direction: "ingress" }));
}

function isDirectionAllowed(
  local: LocalPod | undefined,
  question: Pick<Question, "world" | "packet" | "direction">,
): boolean {
  if (local === undefined) return true;
  const target = podOf(question.world, local);
  const policies = question.world.policies.filter((policy) =>
    directionsOf(policy).includes(question.direction) && isSelected(policy, { local, target })
  );
  if (policies.length === 0) return true;
  if (target === undefined) return false;
  return policies.some((policy) => !isDefective(policy) && allows({ ...question, policy, target }));
}

/** What cannot be read might select anything, and so might what selects by labels that nobody knows. */
function isSelected(policy: RawPolicy, { local, target }: { local: LocalPod; target: RawPod | undefined }): boolean {
  if (policy.metadata.namespace !== local.namespace) return false;
  if (target === undefined || !isReadable(policy.spec.podSelector ?? {})) return true;
  return selects(policy.spec.podSelector ?? {}, target.metadata.labels ?? {});
}

function allows(question: Question): boolean {
  return (question.policy.spec[question.direction] ?? []).some((rule) => {
    const peers = (question.direction === "ingress" ? rule.from : rule.to) ?? [];
    if (peers.length === 0) return isPortAllowed(rule, { question, peer: undefined });
    return peers.some((peer) => isPeer(peer, question) && isPortAllowed(rule, { question, peer }));
  });
}

/** The other end of the packet. */
function otherEnd({ direction, packet }: Question): string {
  return direction === "ingress" ? packet.source : packet.destination;
}

function isPeer(peer: RawPeer, question: Question): boolean {
  if (isPresent(peer.ipBlock)) return isInPeerBlock(peer.ipBlock, otherEnd(question));
  return podsAt(otherEnd(question), question.world).some((pod) => isPodPeer(pod, { peer, question }));
}

function isInPeerBlock({ cidr, except }: RawBlock, address: string): boolean {
  return isInBlock(address, cidr) && !(except ?? []).some((hole) => isInBlock(address, hole));
}

function isPodPeer({ metadata }: RawPod, { peer, question }: { peer: RawPeer; question: Question }): boolean {
  const { namespaceSelector, podSelector } = peer;
  const isNamespace = isPresent(namespaceSelector)
    ? selects(namespaceSelector, namespaceLabels(question.world, metadata.namespace))
    : metadata.namespace === question.policy.metadata.namespace;
  return isNamespace && (!isPresent(podSelector) || selects(podSelector, metadata.labels ?? {}));
}

/**
 * Pods that have the address: not those that have the node's, none that is finished, whose address may be another's by
 * now, and none that only asks for it, because it has no address at all yet.
 */
function podsAt(address: string, { pods }: RawWorld): readonly RawPod[] {
  return pods.filter(({ status }) => !["Succeeded", "Failed"].includes(status?.phase ?? ""))
    .filter(({ spec, status }) => spec.hostNetwork !== true && (status?.podIPs ?? []).length > 0)
    .filter((pod) => addressesOf(pod).includes(address));
}

function namespaceLabels({ namespaces }: RawWorld, name: string): RawLabels {
  return namespaces.find(({ metadata }) => metadata.name === name)?.metadata.labels ?? {};
}

function isPortAllowed(
  { ports }: RawRule,
  { question, peer }: { question: Question; peer: RawPeer | undefined },
): boolean {
  if (!isPresent(ports) || ports.length === 0) return true;
  return ports.some((port) => {
    if ((port.protocol ?? "TCP").toLowerCase() !== question.packet.protocol) return false;
    if (typeof port.port === "string") return hasNamedPort(port.port, { question, peer });
    return isPortInRange(port, question.packet.port);
  });
}

function isPortInRange({ port, endPort }: RawPort, number: number): boolean {
  if (typeof port !== "number") return true;
  return number >= port && number <= (endPort ?? port);
}

/**
 * A name means what the destination pod calls by it: the target of ingress, a pod that the peer of egress selects.
 * Nobody knows what a block's addresses call it.
 */
function hasNamedPort(name: string, { question, peer }: { question: Question; peer: RawPeer | undefined }): boolean {
  if (isPresent(peer?.ipBlock) && question.direction === "egress") return false;
  const destinations = question.direction === "ingress"
    ? [question.target]
    : podsAt(question.packet.destination, question.world)
      .filter((pod) => peer === undefined || isPodPeer(pod, { peer, question }));
  return destinations.some((pod) =>
    portsOf(pod).some((port) =>
      port.name === name && port.containerPort === question.packet.port &&
      (port.protocol ?? "TCP").toLowerCase() === question.packet.protocol
    )
  );
}

function portsOf({ spec }: RawPod): NonNullable<RawPod["spec"]["containers"][number]["ports"]> {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...spec.containers, ...sidecars].flatMap(({ ports }) => ports ?? []);
}

/** Says whether a selector that is there selects these labels. */
export function selects({ matchLabels, matchExpressions }: RawSelector, labels: RawLabels): boolean {
  return Object.entries(matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (matchExpressions ?? []).every((requirement) => holds(requirement, labels));
}

function holds({ key, operator, values }: RawRequirement, labels: RawLabels): boolean {
  const value = labels[key];
  if (operator === "Exists") return value !== undefined;
  if (operator === "DoesNotExist") return value === undefined;
  const isListed = value !== undefined && (values ?? []).includes(value);
  return operator === "In" ? isListed : !isListed;
}

function isPresent<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
