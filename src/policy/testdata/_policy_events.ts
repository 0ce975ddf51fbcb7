/** Random events of a small cluster, in which things collide: few namespaces, labels, addresses and names. */
import fc from "fast-check";
import { parseLabels } from "../parse_labels.ts";
import { parseNamedPorts } from "../parse_named_ports.ts";
import { parseNetworkPolicy } from "../parse_network_policy.ts";
import { parsePolicyPod } from "../parse_policy_pod.ts";
import type { PolicyCompiler } from "../policy_compiler.ts";
import type { Labels, PolicyPod, PolicyTarget, PolicyWorld } from "../policy_world.ts";
import type { NetworkPolicy } from "../network_policy.ts";

/** One thing that the compiler is told. */
export type PolicyEvent =
  | { readonly kind: "policy"; readonly key: string; readonly policy: NetworkPolicy | undefined }
  | { readonly kind: "namespace"; readonly name: string; readonly labels: Labels | undefined }
  | { readonly kind: "pod"; readonly key: string; readonly pod: PolicyPod | undefined }
  | { readonly kind: "target"; readonly link: string; readonly target: PolicyTarget | undefined }
  | { readonly kind: "quarantine"; readonly keys: ReadonlySet<string> };

/** A world that changes, with what is quarantined in it. */
export class ChangingWorld implements PolicyWorld {
  readonly policies = new Map<string, NetworkPolicy>();
  readonly namespaces = new Map<string, Labels>();
  readonly pods = new Map<string, PolicyPod>();
  readonly targets = new Map<string, PolicyTarget>();
  quarantined: ReadonlySet<string> = new Set();

  play(event: PolicyEvent, compiler: PolicyCompiler): void {
    if (event.kind === "policy") {
      put(this.policies, event.key, event.policy);
      compiler.setPolicy(event.key, event.policy);
    } else if (event.kind === "namespace") {
      put(this.namespaces, event.name, event.labels);
      compiler.setNamespace(event.name, event.labels);
    } else if (event.kind === "pod") {
      put(this.pods, event.key, event.pod);
      compiler.setPod(event.key, event.pod);
    } else if (event.kind === "target") {
      put(this.targets, event.link, event.target);
      compiler.setTarget(event.link, event.target);
    } else {
      this.quarantined = event.keys;
      compiler.setQuarantine(event.keys);
    }
  }
}

function put<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

const NAMESPACES = ["blue", "green"];
const LINKS = ["flock00000001", "flock00000002", "flock00000003"];
/** Enough of one family that sets become more than a few rules, and fewer again. */
const ADDRESSES = [
  ...Array.from({ length: 7 }, (_, n) => `192.0.2.${n + 1}`),
  ...["2001:db8::1", "2001:db8::2"],
];

const namespace = fc.constantFrom(...NAMESPACES);
const policyKey = fc.tuple(namespace, fc.constantFrom("p", "q", "r")).map((parts) => parts.join("/"));
const podKey = fc.tuple(namespace, fc.constantFrom("a", "b", "c", "d")).map((parts) => parts.join("/"));
const rawLabels = fc.dictionary(fc.constantFrom("app", "tier"), fc.constantFrom("x", "y", "z"), { maxKeys: 2 });
const ports = fc.array(
  fc.record({
    name: fc.constantFrom("http", "dns"),
    protocol: fc.constantFrom("TCP", "UDP"),
    containerPort: fc.constantFrom(80, 53, 8080),
  }),
  { maxLength: 2 },
);

const selector = fc.record({
  matchLabels: rawLabels,
  matchExpressions: fc.array(
    fc.oneof(
      fc.record({
        key: fc.constantFrom("app", "tier"),
        operator: fc.constantFrom("In", "NotIn"),
        values: fc.subarray(["x", "y", "z"], { minLength: 1 }),
      }),
      fc.record({ key: fc.constantFrom("app", "tier"), operator: fc.constantFrom("Exists", "DoesNotExist") }),
    ),
    { maxLength: 1 },
  ),
}, { requiredKeys: [] });

const block = fc.oneof(
  fc.constant({ cidr: "192.0.2.0/30", except: ["192.0.2.2/32"] }),
  fc.constant({ cidr: "192.0.2.2/31" }),
  fc.constant({ cidr: "2001:db8::/127" }),
  fc.constant({ cidr: "::/0" }),
);

const peer = fc.oneof(
  { weight: 3, arbitrary: fc.record({ podSelector: selector }) },
  {
    weight: 2,
    arbitrary: fc.record({ namespaceSelector: selector, podSelector: selector }, {
      requiredKeys: ["namespaceSelector"],
    }),
  },
  { weight: 1, arbitrary: fc.record({ ipBlock: block }) },
);

const port = fc.oneof(
  fc.record({ protocol: fc.constantFrom("TCP", "UDP", "SCTP"), port: fc.constantFrom(80, 53, "http", "dns") }, {
    requiredKeys: [],
  }),
  fc.constant({ port: 80, endPort: 443 }),
);

const rulesOf = (peers: string): fc.Arbitrary<unknown> =>
  fc.array(
    fc.record({ [peers]: fc.array(peer, { maxLength: 3 }), ports: fc.array(port, { maxLength: 3 }) }, {
      requiredKeys: [],
    }),
    { maxLength: 2 },
  );

const spec = fc.record({
  podSelector: selector,
  policyTypes: fc.constantFrom(["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Ingress", "Sideways"]),
  ingress: rulesOf("from"),
  egress: rulesOf("to"),
}, { requiredKeys: ["podSelector"] });

function orNone<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined, freq: 4 });
}

const policyEvent = fc.tuple(policyKey, orNone(spec)).map(([key, body]): PolicyEvent => {
  const [namespace, name] = key.split("/");
  return { kind: "policy", key, policy: body && parseNetworkPolicy({ metadata: { namespace, name }, spec: body }) };
});

const podEvent = fc.tuple(podKey, orNone(fc.record({ labels: rawLabels, ports, ips: fc.subarray(ADDRESSES) }))).map(
  ([key, fields]): PolicyEvent => {
    if (fields === undefined) return { kind: "pod", key, pod: undefined };
    const pod = parsePolicyPod({
      metadata: { namespace: key.split("/")[0], labels: fields.labels },
      spec: { containers: [{ ports: fields.ports }] },
      status: { podIPs: fields.ips.map((ip) => ({ ip })) },
    });
    return { kind: "pod", key, pod };
  },
);

const target = fc.record({ namespace, labels: fc.option(rawLabels, { freq: 8 }), ports, logDrops: fc.boolean() }).map(
  ({ labels, ports, ...rest }): PolicyTarget => ({
    ...rest,
    ...(labels !== null && { labels: parseLabels(labels) }),
    ports: parseNamedPorts({ containers: [{ ports }] }),
  }),
);

const targetEvent = fc.tuple(fc.constantFrom(...LINKS), orNone(target)).map(([link, target]): PolicyEvent => {
  return { kind: "target", link, target };
});

const namespaceEvent = fc.tuple(namespace, orNone(rawLabels)).map(([name, labels]): PolicyEvent => {
  return { kind: "namespace", name, labels: labels && parseLabels(labels) };
});

const quarantineEvent = fc.array(policyKey, { maxLength: 2 }).map((keys): PolicyEvent => {
  return { kind: "quarantine", keys: new Set(keys) };
});

/** Any event of the small cluster. */
export const policyEvents: fc.Arbitrary<PolicyEvent> = fc.oneof(
  { weight: 5, arbitrary: policyEvent },
  { weight: 5, arbitrary: podEvent },
  { weight: 4, arbitrary: targetEvent },
  { weight: 2, arbitrary: namespaceEvent },
  { weight: 1, arbitrary: quarantineEvent },
);
