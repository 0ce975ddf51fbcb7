/**
 * What Kubernetes' own end-to-end tests ask of NetworkPolicy (test/e2e/network/netpol/network_policy.go), by their
 * names and in their order, each as policies and truth tables of our own. Theirs ask one port and protocol of a few
 * pods; here every stage is judged over all nine pods, both ports, TCP, UDP, SCTP and both families, so that their
 * separate cases of UDP and SCTP are contained.
 */
import type { KubeObject } from "../lab/lab_api.ts";
import type { SocketProtocol } from "../lab/sockets.ts";
import type { PolicyPod } from "./_policy_pods.ts";
import type { PodTruth as Truth, Reachability } from "./_reachability.ts";

export interface Stage {
  /** `namespace/name` -> spec; null: it goes. What a case has made goes with it. */
  readonly policies?: Readonly<Record<string, KubeObject | null>>;
  /** `namespace` or `namespace/pod` -> labels that it gets; they go with the case. */
  readonly labels?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly allows: Truth;
}

export interface NetpolScene {
  readonly title: string;
  readonly stages: (pods: Pick<Reachability, "pod">) => readonly Stage[];
}

type Selector = KubeObject;

const ALL: Selector = {};
const NAME = "kubernetes.io/metadata.name";

const inX = ({ namespace }: PolicyPod): boolean => namespace === "x";
const inY = ({ namespace }: PolicyPod): boolean => namespace === "y";
const inZ = ({ namespace }: PolicyPod): boolean => namespace === "z";
const isXa = ({ key }: PolicyPod): boolean => key === "x/a";
const everything: Truth = () => true;
const tcp80: Truth = ({ protocol, port }) => protocol === "tcp" && port === 80;
const tcp81: Truth = ({ protocol, port }) => protocol === "tcp" && port === 81;

/** A policy for ingress alone. */
function ingress(podSelector: Selector, ...rules: KubeObject[]): KubeObject {
  return { podSelector, policyTypes: ["Ingress"], ingress: rules };
}

function egress(podSelector: Selector, ...rules: KubeObject[]): KubeObject {
  return { podSelector, policyTypes: ["Egress"], egress: rules };
}

function labelled(pod: string): Selector {
  return { matchLabels: { pod } };
}

function namespaced(name: string): Selector {
  return { matchLabels: { [NAME]: name } };
}

function expression(key: string, operator: string, ...values: string[]): Selector {
  return { matchExpressions: [{ key, operator, values }] };
}

function port(protocol: Uppercase<SocketProtocol>, number?: number | string): KubeObject {
  return number === undefined ? { protocol } : { protocol, port: number };
}

function scene(title: string, stages: readonly Stage[] | NetpolScene["stages"]): NetpolScene {
  return { title, stages: typeof stages === "function" ? stages : () => stages };
}

const notX = expression(NAME, "NotIn", "x");

export const NETPOL_SCENES: readonly NetpolScene[] = [
  scene("should support a 'default-deny-ingress' policy (NP-01, NP-08)", [
    { policies: { "x/deny-ingress": ingress(ALL) }, allows: ({ to }) => !inX(to) },
  ]),
  scene("should support a 'default-deny-all' policy", [{
    policies: { "x/deny-all": { podSelector: ALL, policyTypes: ["Ingress", "Egress"] } },
    allows: ({ from, to }) => !inX(from) && !inX(to),
  }]),
  scene("should enforce policy to allow traffic from pods within server namespace based on PodSelector (NP-02)", [{
    policies: { "x/a-allows-b": ingress(labelled("a"), { from: [{ podSelector: labelled("b") }] }) },
    allows: ({ from, to }) => !isXa(to) || from.key === "x/b",
  }]),
  scene("should enforce policy to allow ingress traffic for a target", [{
    policies: {
      "x/deny-all": ingress(ALL),
      "x/allow-all-to-a": ingress(labelled("a"), { from: [{ podSelector: ALL, namespaceSelector: ALL }] }),
    },
    allows: ({ to }) => !inX(to) || isXa(to),
  }]),
  scene("should enforce policy to allow ingress traffic from pods in all namespaces (NP-03)", [
    { policies: { "x/deny-a": ingress(labelled("a")) }, allows: ({ to }) => !isXa(to) },
    { policies: { "x/allow": ingress(labelled("a"), { from: [{ namespaceSelector: ALL }] }) }, allows: everything },
  ]),
  scene("should enforce policy to allow traffic only from a different namespace, based on NamespaceSelector", [{
    policies: { "x/allow-y": ingress(labelled("a"), { from: [{ namespaceSelector: namespaced("y") }] }) },
    allows: ({ from, to }) => !isXa(to) || inY(from),
  }]),
  scene("should enforce policy based on PodSelector with MatchExpressions", [{
    policies: { "x/allow-b": ingress(labelled("a"), { from: [{ podSelector: expression("pod", "In", "b") }] }) },
    allows: ({ from, to }) => !isXa(to) || from.key === "x/b",
  }]),
  scene("should enforce policy based on NamespaceSelector with MatchExpressions", [{
    policies: { "x/allow-y": ingress(labelled("a"), { from: [{ namespaceSelector: expression(NAME, "In", "y") }] }) },
    allows: ({ from, to }) => !isXa(to) || inY(from),
  }]),
  scene("should enforce policy based on PodSelector or NamespaceSelector (NP-05)", [{
    policies: {
      "x/allow": ingress(labelled("a"), { from: [{ namespaceSelector: notX }, { podSelector: labelled("b") }] }),
    },
    allows: ({ from, to }) => !isXa(to) || !inX(from) || from.key === "x/b",
  }]),
  scene("should enforce policy based on PodSelector and NamespaceSelector (NP-04)", [{
    policies: {
      "x/allow": ingress(labelled("a"), { from: [{ namespaceSelector: notX, podSelector: labelled("b") }] }),
    },
    allows: ({ from, to }) => !isXa(to) || ["y/b", "z/b"].includes(from.key),
  }]),
  scene("should enforce policy based on Multiple PodSelectors and NamespaceSelectors", [{
    policies: {
      "x/allow": ingress(labelled("a"), {
        from: [{ namespaceSelector: notX, podSelector: expression("pod", "In", "b", "c") }],
      }),
    },
    allows: ({ from, to }) => !isXa(to) || !inX(from) && from.name !== "a",
  }]),
  scene("should enforce policy based on any PodSelectors", [{
    policies: {
      "x/allow": ingress(labelled("a"), { from: [{ podSelector: labelled("b") }, { podSelector: labelled("c") }] }),
    },
    allows: ({ from, to }) => !isXa(to) || inX(from),
  }]),
  scene(
    "should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector",
    [{
      policies: {
        "x/allow": ingress(labelled("a"), {
          from: [{ namespaceSelector: namespaced("y"), podSelector: labelled("a") }],
        }),
      },
      allows: ({ from, to }) => !isXa(to) || from.key === "y/a",
    }],
  ),
  scene("should enforce policy based on Ports", [
    {
      policies: {
        "x/allow": ingress(labelled("a"), {
          from: [{ namespaceSelector: namespaced("y") }],
          ports: [port("TCP", 81)],
        }),
      },
      allows: (pair) => !isXa(pair.to) || inY(pair.from) && tcp81(pair),
    },
    {
      policies: {
        "x/allow": ingress(labelled("a"), {
          from: [{ namespaceSelector: namespaced("y") }],
          ports: [port("UDP", 81), port("SCTP", 80)],
        }),
      },
      allows: ({ from, to, protocol, port }) =>
        !isXa(to) || inY(from) && (protocol === "udp" && port === 81 || protocol === "sctp" && port === 80),
    },
  ]),
  scene("should enforce multiple, stacked policies with overlapping podSelectors", [
    {
      policies: {
        "x/81": ingress(labelled("a"), { from: [{ namespaceSelector: namespaced("y") }], ports: [port("TCP", 81)] }),
      },
      allows: (pair) => !isXa(pair.to) || inY(pair.from) && tcp81(pair),
    },
    {
      policies: {
        "x/80": ingress(labelled("a"), { from: [{ namespaceSelector: namespaced("y") }], ports: [port("TCP", 80)] }),
      },
      allows: ({ from, to, protocol }) => !isXa(to) || inY(from) && protocol === "tcp",
    },
  ]),
  scene("should support allow-all policy (NP-09)", [
    { policies: { "x/deny-all": ingress(ALL) }, allows: ({ to }) => !inX(to) },
    { policies: { "x/allow-all": ingress(ALL, {}) }, allows: everything },
  ]),
  scene("should allow ingress access on one named port (NP-18, NP-20)", [{
    policies: { "x/allow": ingress(ALL, { ports: [{ port: "serve-81-tcp" }] }) },
    allows: (pair) => !inX(pair.to) || tcp81(pair),
  }]),
  scene("should allow ingress access from namespace on one named port", [{
    policies: {
      "x/allow": ingress(labelled("a"), {
        from: [{ namespaceSelector: namespaced("y") }],
        ports: [port("TCP", "serve-80-tcp")],
      }),
    },
    allows: (pair) => !isXa(pair.to) || inY(pair.from) && tcp80(pair),
  }]),
  scene("should allow egress access on one named port (NP-21)", [{
    policies: { "x/allow": egress(ALL, { ports: [{ port: "serve-80-tcp" }] }) },
    allows: (pair) => !inX(pair.from) || tcp80(pair),
  }]),
  scene("should enforce updated policy", [
    { policies: { "x/mutates": ingress(ALL, { ports: [port("TCP", 81)] }) }, allows: (p) => !inX(p.to) || tcp81(p) },
    { policies: { "x/mutates": ingress(ALL, {}) }, allows: everything },
    { policies: { "x/mutates": ingress(ALL) }, allows: ({ to }) => !inX(to) },
  ]),
  scene("should allow ingress access from updated namespace (NP-38)", [
    {
      policies: {
        "x/allow": ingress(labelled("a"), { from: [{ namespaceSelector: { matchLabels: { ns2: "new" } } }] }),
      },
      allows: ({ to }) => !isXa(to),
    },
    { labels: { y: { ns2: "new" } }, allows: ({ from, to }) => !isXa(to) || inY(from) },
  ]),
  scene("should allow ingress access from updated pod (NP-39)", [
    {
      policies: {
        "x/allow": ingress(labelled("a"), { from: [{ podSelector: { matchLabels: { pod: "b", pod2: "new" } } }] }),
      },
      allows: ({ to }) => !isXa(to),
    },
    { labels: { "x/b": { pod2: "new" } }, allows: ({ from, to }) => !isXa(to) || from.key === "x/b" },
  ]),
  scene("should deny ingress from pods on other namespaces", [{
    policies: { "x/own": ingress(ALL, { from: [{ podSelector: ALL }] }) },
    allows: ({ from, to }) => !inX(to) || inX(from),
  }]),
  scene("should deny ingress access to updated pod (NP-39)", [
    {
      policies: {
        "x/isolated": ingress({ matchLabels: { target: "isolated" } }),
        "x/witness": ingress(labelled("b")), // nothing else would show that the first one is in force
      },
      allows: ({ to }) => to.key !== "x/b",
    },
    { labels: { "x/a": { target: "isolated" } }, allows: ({ to }) => to.key !== "x/b" && !isXa(to) },
  ]),
  scene("should deny egress from pods based on PodSelector (NP-11)", [
    { policies: { "x/deny-egress": egress(labelled("a")) }, allows: ({ from }) => !isXa(from) },
  ]),
  scene("should deny egress from all pods in a namespace", [
    { policies: { "x/deny-egress": egress(ALL) }, allows: ({ from }) => !inX(from) },
  ]),
  scene("should work with Ingress, Egress specified together (NP-51)", [{
    policies: {
      "x/both": {
        podSelector: labelled("a"),
        policyTypes: ["Egress", "Ingress"],
        ingress: [{ from: [{ podSelector: labelled("b") }] }],
        egress: [{ ports: [{ port: 80 }] }],
      },
    },
    allows: (pair) => isXa(pair.to) ? pair.from.key === "x/b" : !isXa(pair.from) || tcp80(pair),
  }]),
  scene(
    "should support denying of egress traffic on the client side (even if the server explicitly allows this traffic) (NP-51)",
    [{
      policies: {
        "x/to-y-a": egress(labelled("a"), {
          to: [{ namespaceSelector: namespaced("y"), podSelector: labelled("a") }],
        }),
        ...Object.fromEntries(["a", "b"].map((name) => [
          `y/from-x-a-to-${name}`,
          ingress(labelled(name), { from: [{ namespaceSelector: namespaced("x"), podSelector: labelled("a") }] }),
        ])),
      },
      allows: ({ from, to }) => isXa(from) ? to.key === "y/a" : !["y/a", "y/b"].includes(to.key),
    }],
  ),
  scene(
    "should enforce egress policy allowing traffic to a server in a different namespace based on PodSelector and NamespaceSelector",
    [{
      policies: {
        "x/allow": egress(labelled("a"), { to: [{ namespaceSelector: namespaced("y"), podSelector: labelled("a") }] }),
      },
      allows: ({ from, to }) => !isXa(from) || to.key === "y/a",
    }],
  ),
  scene("should enforce ingress policy allowing any port traffic to a server on a specific protocol (NP-17)", [{
    policies: { "x/allow": ingress(labelled("a"), { ports: [port("TCP")] }) },
    allows: ({ to, protocol }) => !isXa(to) || protocol === "tcp",
  }]),
  scene("should enforce multiple ingress policies with ingress allow-all policy taking precedence", [
    { policies: { "x/80": ingress(ALL, { ports: [{ port: 80 }] }) }, allows: (pair) => !inX(pair.to) || tcp80(pair) },
    { policies: { "x/all": ingress(ALL, {}) }, allows: everything },
  ]),
  scene("should enforce multiple egress policies with egress allow-all policy taking precedence", [
    { policies: { "x/80": egress(ALL, { ports: [{ port: 80 }] }) }, allows: (pair) => !inX(pair.from) || tcp80(pair) },
    { policies: { "x/all": egress(ALL, {}) }, allows: everything },
  ]),
  scene("should stop enforcing policies after they are deleted (NP-37)", [
    {
      policies: { "x/deny-all": { podSelector: ALL, policyTypes: ["Ingress", "Egress"] } },
      allows: ({ from, to }) => !inX(from) && !inX(to),
    },
    { policies: { "x/deny-all": null }, allows: everything },
  ]),
  scene("should allow egress access to server in CIDR block (NP-14, NP-15)", (pods) => [{
    policies: {
      "x/allow": egress(labelled("a"), { to: [{ ipBlock: { cidr: `${pods.pod("y/b").address(4)}/32` } }] }),
    },
    allows: ({ from, to, family }) => !isXa(from) || to.key === "y/b" && family === 4,
  }, {
    policies: {
      "x/allow": egress(labelled("a"), { to: [{ ipBlock: { cidr: `${pods.pod("y/b").address(6)}/128` } }] }),
    },
    allows: ({ from, to, family }) => !isXa(from) || to.key === "y/b" && family === 6,
  }]),
  scene("should enforce except clause while egress access to server in CIDR block", (pods) => [
    {
      policies: { "x/allow": egress(labelled("a"), { to: allBut(pods.pod("x/b")) }) },
      allows: ({ from, to }) => !isXa(from) || to.key !== "x/b",
    },
  ]),
  scene("should ensure an IP overlapping both IPBlock.CIDR and IPBlock.Except is allowed (NP-12)", (pods) => [
    {
      policies: { "x/allow": egress(labelled("a"), { to: allBut(pods.pod("x/b")) }) },
      allows: ({ from, to }) => !isXa(from) || to.key !== "x/b",
    },
    {
      policies: { "x/allow-b": egress(labelled("a"), { to: only(pods.pod("x/b")) }) },
      allows: everything,
    },
    {
      policies: { "x/allow": egress(labelled("a"), { to: only(pods.pod("x/b")) }), "x/allow-b": null },
      allows: ({ from, to }) => !isXa(from) || to.key === "x/b",
    },
  ]),
  scene(
    "should enforce policies to check ingress and egress policies can be controlled independently based on PodSelector",
    [
      { policies: { "x/egress": egress(labelled("a")) }, allows: ({ from }) => !isXa(from) },
      { policies: { "x/egress": egress(labelled("a"), {}) }, allows: everything },
      { policies: { "x/ingress": ingress(labelled("a")) }, allows: ({ to }) => !isXa(to) },
    ],
  ),
  scene("should not mistakenly treat 'protocol: SCTP' as 'protocol: TCP', even if the plugin doesn't support SCTP", [{
    policies: { "x/deny": ingress(ALL), "x/sctp": ingress(labelled("a"), { ports: [port("SCTP", 81)] }) },
    allows: ({ to, protocol, port }) => !inX(to) || isXa(to) && protocol === "sctp" && port === 81,
  }]),
  scene(
    "should properly isolate pods that are selected by a policy allowing SCTP, even if the plugin doesn't support SCTP (NP-25)",
    [{
      policies: { "x/sctp": ingress(labelled("a"), { ports: [port("SCTP", 80)] }) },
      allows: ({ to, protocol, port }) => !isXa(to) || protocol === "sctp" && port === 80,
    }],
  ),
  scene("should not allow access by TCP when a policy specifies only UDP", [{
    policies: { "x/udp": ingress(labelled("a"), { ports: [port("UDP", 81)] }) },
    allows: ({ to, protocol, port }) => !isXa(to) || protocol === "udp" && port === 81,
  }]),
  scene("should enforce policy to allow traffic based on NamespaceSelector with MatchLabels using default ns label", [{
    policies: { "x/allow": ingress(labelled("a"), { from: [{ namespaceSelector: namespaced("z") }] }) },
    allows: ({ from, to }) => !isXa(to) || inZ(from),
  }]),
  scene("should enforce policy based on NamespaceSelector with MatchExpressions using default ns label", [{
    policies: {
      "x/allow": egress(labelled("a"), { to: [{ namespaceSelector: expression(NAME, "NotIn", "y") }] }),
    },
    allows: ({ from, to }) => !isXa(from) || !inY(to),
  }]),
];

/** Both families, around the lab's pods. */
function allBut(pod: PolicyPod): KubeObject[] {
  return [
    { ipBlock: { cidr: "203.0.113.0/24", except: [`${pod.address(4)}/32`] } },
    { ipBlock: { cidr: "2001:db8:f000::/44", except: [`${pod.address(6)}/128`] } },
  ];
}

function only(pod: PolicyPod): KubeObject[] {
  return [{ ipBlock: { cidr: `${pod.address(4)}/32` } }, { ipBlock: { cidr: `${pod.address(6)}/128` } }];
}
