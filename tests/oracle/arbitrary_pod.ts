/** Random pods as the API server would send them, and their sandboxes on this node. */
import fc from "fast-check";
import { labels, maybe, namespace, nothing, object, portNumber, protocol, rarely } from "./_arbitrary_parts.ts";
import { addressesOf, type LocalPod, type RawContainer, type RawPod } from "./raw_objects.ts";
import { ANYCAST, NAMES, NODES, SUBNETS } from "./universe.ts";

type ContainerPort = NonNullable<RawContainer["ports"]>[number];
const containerPort: fc.Arbitrary<ContainerPort> = object<ContainerPort>({
  name: fc.option(fc.constantFrom(...NAMES), { nil: undefined, freq: 6 }),
  containerPort: portNumber,
  protocol,
});
const containerPorts = maybe(fc.array(containerPort, { minLength: 1, maxLength: 2 }), 12);
const container: fc.Arbitrary<RawContainer> = object<RawContainer>({
  name: fc.constant("main"),
  ports: containerPorts,
  restartPolicy: nothing,
});
const initContainer: fc.Arbitrary<RawContainer> = object<RawContainer>({
  name: fc.constant("init"),
  ports: containerPorts,
  restartPolicy: fc.constantFrom("Always", undefined),
});

/** A pod before it has a name and addresses of its own. */
export interface PodDraft {
  readonly namespace: string;
  readonly labels: Record<string, string> | null | undefined;
  readonly containers: readonly RawContainer[];
  readonly initContainers: readonly RawContainer[] | null | undefined;
  readonly families: readonly (4 | 6)[];
  readonly anycast: readonly string[];
  readonly hasSecondAddress: boolean;
  readonly phase: string;
  /** `twin`: has the addresses of the pod before it, which is finished or is still being removed. */
  readonly kind: "local" | "remote" | "hostNetwork" | "noStatus" | "unknown" | "twin";
  readonly terminating: boolean;
}

export const podDraft: fc.Arbitrary<PodDraft> = fc.record({
  namespace,
  labels: maybe(labels, 12),
  containers: fc.array(container, { minLength: 1, maxLength: 2 }),
  initContainers: maybe(fc.array(initContainer, { minLength: 1, maxLength: 1 }), 8),
  families: fc.constantFrom<(4 | 6)[]>([4, 6], [6, 4], [4, 6], [4], [6]),
  anycast: rarely<readonly string[]>(3, { usual: fc.constant([]), odd: fc.subarray([...ANYCAST]) }),
  hasSecondAddress: fc.nat(7).map((n) => n === 7),
  phase: rarely(10, { usual: fc.constant("Running"), odd: fc.constantFrom("Succeeded", "Failed", "Pending") }),
  kind: fc.oneof(
    { weight: 12, arbitrary: fc.constant("local" as const) },
    { weight: 5, arbitrary: fc.constant("remote" as const) },
    { weight: 4, arbitrary: fc.constantFrom<PodDraft["kind"]>("hostNetwork", "noStatus", "unknown", "twin") },
  ),
  terminating: fc.nat(9).map((n) => n === 9),
});

/** What random drafts become in a cluster. */
export interface Member {
  /** Absent: the API server has not told of it. */
  readonly pod?: RawPod;
  /** Absent: it is not this node's, or has no network of its own. */
  readonly local?: LocalPod;
}

/** @param index from 1 to 15; tells it from the others */
export function memberOf(draft: PodDraft, index: number): Member {
  const ownNumber = draft.kind === "twin" ? index - 1 : index;
  const inHost = draft.kind === "hostNetwork" ? NODES[index % 2] : undefined;
  const ips = inHost ??
    draft.families.map((family) => `${SUBNETS[family]}${ownNumber.toString(family === 4 ? 10 : 16)}`);
  const annotations = inHost === undefined ? claimsOf(draft, { ips, index }) : {};
  const pod = podOfDraft(draft, { name: `pod-${index}`, ips, annotations });
  const addresses = [...new Set([...ips, ...addressesOf(pod)])];
  const { namespace, name } = pod.metadata;
  const local = { link: `flock0000000${index.toString(16)}`, namespace, name, addresses };
  return {
    ...(draft.kind !== "unknown" && { pod }),
    ...(["local", "noStatus", "unknown"].includes(draft.kind) && { local }),
  };
}

function claimsOf(
  { families, anycast, hasSecondAddress }: PodDraft,
  { ips, index }: { ips: readonly string[]; index: number },
): Record<string, string> {
  const second = families.map((family) => family === 4 ? `198.51.100.1${index}` : `2001:db8:b::${index}`);
  const served = anycast.filter((address) => families.includes(address.includes(":") ? 6 : 4));
  return {
    ...(served.length > 0 && { "flock.fritzlab.net/anycast": served.join(", ") }),
    ...(hasSecondAddress && { "flock.fritzlab.net/addresses": [...ips, ...second].join(",") }),
  };
}

function podOfDraft(
  draft: PodDraft,
  { name, ips, annotations }: { name: string; ips: readonly string[]; annotations: Record<string, string> },
): RawPod {
  const { namespace, labels, containers, initContainers, phase, kind } = draft;
  const deletion = draft.terminating && { deletionTimestamp: "2026-01-01T00:00:00Z" };
  const podIPs = ips.map((ip) => ({ ip }));
  return {
    metadata: { namespace, name, uid: name, ...(labels !== undefined && { labels }), annotations, ...deletion },
    spec: {
      containers,
      ...(initContainers !== undefined && { initContainers }),
      ...(kind === "hostNetwork" && { hostNetwork: true }),
    },
    status: { phase, ...(kind !== "noStatus" && { podIPs }) },
  };
}
