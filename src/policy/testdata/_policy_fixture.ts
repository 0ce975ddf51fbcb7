/** Worlds from objects as the API server sends them. */
import { parseNamedPorts } from "../parse_named_ports.ts";
import { parseNamespace } from "../parse_namespace.ts";
import { parseNetworkPolicy } from "../parse_network_policy.ts";
import { parsePolicyPod } from "../parse_policy_pod.ts";
import type { PolicyTarget, PolicyWorld } from "../policy_world.ts";

/** Any JSON object. */
export type Raw = Readonly<Record<string, unknown>>;

/** A pod of the cluster in few words. */
export interface PodFields {
  /** Default `default`. */
  readonly namespace?: string;
  readonly labels?: Raw;
  readonly ips: readonly string[];
  /** Named ports of its one container: `http` -> 8080; `dns/UDP` -> 53 */
  readonly ports?: Readonly<Record<string, number>>;
  readonly annotations?: Raw;
  /** Host end of its link, when it is of this node. */
  readonly link?: string;
  readonly logDrops?: boolean;
}

/** A world in few words; names are keys. */
export interface WorldFields {
  /** `spec` of policies of the namespace `default`, or of that of a key `namespace/name`. */
  readonly policies?: Readonly<Record<string, unknown>>;
  /** labels */
  readonly namespaces?: Readonly<Record<string, Raw>>;
  readonly pods?: Readonly<Record<string, PodFields>>;
}

/** @returns a raw `v1` Pod */
export function rawPod(
  name: string,
  { namespace = "default", labels = {}, ips, ports = {}, annotations = {} }: PodFields,
): Raw {
  const named = Object.entries(ports).map(([key, containerPort]) => {
    const [portName, protocol = "TCP"] = key.split("/");
    return { name: portName, protocol, containerPort };
  });
  return {
    metadata: { namespace, name, labels, annotations },
    spec: { containers: [{ ports: named }] },
    status: { phase: "Running", podIPs: ips.map((ip) => ({ ip })) },
  };
}

/** @returns a raw `networking.k8s.io/v1` NetworkPolicy. @param key `name` or `namespace/name` */
export function rawPolicy(key: string, spec: unknown): Raw {
  const [namespace, name] = key.includes("/") ? key.split("/") : ["default", key];
  return { metadata: { namespace, name }, spec };
}

/** @returns the world as the parsers read it */
export function worldOf({ policies = {}, namespaces = {}, pods = {} }: WorldFields): PolicyWorld {
  const cluster = Object.entries(pods).map(([name, fields]) => ({ name, fields, raw: rawPod(name, fields) }));
  return {
    policies: mapOf(Object.entries(policies), ([key, spec]) => {
      const policy = parseNetworkPolicy(rawPolicy(key, spec));
      return policy && [`${policy.namespace}/${policy.name}`, policy];
    }),
    namespaces: mapOf(Object.entries(namespaces), ([name, labels]) => {
      const parsed = parseNamespace({ metadata: { name, labels } });
      return parsed && [name, parsed];
    }),
    pods: mapOf(cluster, ({ name, raw }) => {
      const pod = parsePolicyPod(raw);
      return pod && [`${pod.namespace}/${name}`, pod];
    }),
    targets: mapOf(
      cluster,
      ({ fields, raw }) => fields.link === undefined ? undefined : [fields.link, targetOf(fields, raw)],
    ),
  };
}

function targetOf({ logDrops = false }: PodFields, raw: Raw): PolicyTarget {
  const pod = parsePolicyPod(raw);
  if (pod === undefined) throw new TypeError("Cannot make a target: no pod");
  return { namespace: pod.namespace, labels: pod.labels, ports: parseNamedPorts(raw["spec"]), logDrops };
}

function mapOf<T, V>(
  items: readonly T[],
  entry: (item: T) => readonly [string, V] | undefined,
): ReadonlyMap<string, V> {
  return new Map(items.flatMap((item) => {
    const made = entry(item);
    return made === undefined ? [] : [made];
  }));
}
