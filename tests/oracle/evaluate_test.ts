/** The oracle itself, by hand: what the API's documentation says in words, one row for each statement. */
import { assertEquals } from "@std/assert";
import { isAllowed } from "./evaluate.ts";
import { NODE, type Packet, UPLINK } from "./packet.ts";
import type { RawContainer, RawPod, RawPolicy, RawWorld } from "./raw_objects.ts";

const CONTAINERS: readonly RawContainer[] = [{ name: "c", ports: [{ name: "http", containerPort: 8080 }] }];

function pod(name: string, more: { ip: string; app: string; phase?: string; hostNetwork?: boolean }): RawPod {
  const [namespace = "", rest = ""] = name.split("/");
  const { ip, app, phase = "Running", hostNetwork = false } = more;
  return {
    metadata: { namespace, name: rest, uid: name, labels: { app } },
    spec: { hostNetwork, containers: CONTAINERS },
    status: { phase, podIPs: [{ ip }] },
  };
}

const WORLD: RawWorld = {
  policies: [],
  namespaces: [{ metadata: { name: "a", labels: { team: "a" } } }, { metadata: { name: "b", labels: { team: "b" } } }],
  pods: [
    pod("a/web", { ip: "10.0.0.1", app: "web" }),
    pod("a/client", { ip: "10.0.0.2", app: "client" }),
    pod("b/client", { ip: "10.0.0.3", app: "client" }),
    pod("a/job", { ip: "10.0.0.4", app: "client", phase: "Succeeded" }),
    pod("a/host", { ip: "10.0.0.5", app: "client", hostNetwork: true }),
  ],
  local: [{ link: "web", namespace: "a", name: "web", addresses: ["10.0.0.1"] }],
};

function policy(spec: RawPolicy["spec"]): RawPolicy {
  return { metadata: { namespace: "a", name: "p", uid: "p" }, spec };
}

/** To web unless it says otherwise. */
function packet(change: Partial<Packet>): Packet {
  const destination = "10.0.0.1";
  return {
    ...{ cameBy: UPLINK, leavesBy: "web", source: "10.0.0.2", destination, protocol: "tcp", port: 80, state: "new" },
    ...change,
  };
}

const CLIENTS = { matchLabels: { app: "client" } };
const DENY = policy({ podSelector: {} });
const from = (...peers: NonNullable<NonNullable<RawPolicy["spec"]["ingress"]>[number]["from"]>): RawPolicy =>
  policy({ ingress: [{ from: peers }] });
const ports = (...list: NonNullable<NonNullable<RawPolicy["spec"]["ingress"]>[number]["ports"]>): RawPolicy =>
  policy({ ingress: [{ ports: list }] });
const to = (rule: NonNullable<RawPolicy["spec"]["egress"]>[number]): RawPolicy =>
  policy({ egress: [rule], policyTypes: ["Egress"] });
const OTHER_NAMESPACE = { source: "10.0.0.3" };
const OUT = { cameBy: "web", leavesBy: UPLINK, source: "10.0.0.1", destination: "10.0.0.2" };

type Row = readonly [what: string, policy: RawPolicy, change: Partial<Packet>, allowed: boolean];
const ROWS: readonly Row[] = [
  ["a policy without rules allows nobody", DENY, {}, false],
  ["the node itself is always allowed", DENY, { cameBy: NODE }, true],
  ["replies are always allowed", DENY, { state: "established" }, true],
  ["what is no connection's is judged as if new", DENY, { state: "invalid" }, false],
  ["who selects another pod says nothing", policy({ podSelector: CLIENTS }), {}, true],
  ["ingress alone says nothing of egress", DENY, OUT, true],
  ["rules of egress imply its type", policy({ egress: [{ to: [{ ipBlock: { cidr: "::/0" } }] }] }), OUT, false],
  ["an empty list of egress implies none", policy({ egress: [] }), OUT, true],
  ["an empty rule allows everybody", policy({ ingress: [{}] }), { source: "192.0.2.1" }, true],
  ["an empty list of peers too", policy({ ingress: [{ from: [] }] }), { source: "192.0.2.1", protocol: "icmp" }, true],
  ["an empty podSelector is the own namespace", from({ podSelector: {} }), {}, true],
  ["and no other", from({ podSelector: {} }), OTHER_NAMESPACE, false],
  ["an empty namespaceSelector is every pod", from({ namespaceSelector: {} }), OTHER_NAMESPACE, true],
  ["but nothing outside", from({ namespaceSelector: {} }), { source: "192.0.2.1" }, false],
  ["no finished pod", from({ namespaceSelector: {} }), { source: "10.0.0.4" }, false],
  ["and no node", from({ namespaceSelector: {} }), { source: "10.0.0.5" }, false],
  [
    "both selectors must hold",
    from({ namespaceSelector: { matchLabels: { team: "b" } }, podSelector: CLIENTS }),
    {},
    false,
  ],
  ["of two peers one is enough", from({ podSelector: { matchLabels: { app: "x" } } }, { podSelector: {} }), {}, true],
  ["null is absent", from({ podSelector: {}, namespaceSelector: null, ipBlock: null }), OTHER_NAMESPACE, false],
  [
    "NotIn holds without the label",
    from({
      podSelector: { matchExpressions: [{ key: "no", operator: "NotIn", values: ["x"] }] },
    }),
    {},
    true,
  ],
  ["blocks hold pods, host bits or not", from({ ipBlock: { cidr: "10.0.0.77/24" } }), OTHER_NAMESPACE, true],
  ["except takes away", from({ ipBlock: { cidr: "10.0.0.0/24", except: ["10.0.0.2/31"] } }), OTHER_NAMESPACE, false],
  [
    "from its own peer only",
    from({ ipBlock: { cidr: "10.0.0.0/24", except: ["10.0.0.0/28"] } }, {
      ipBlock: { cidr: "10.0.0.3/32" },
    }),
    OTHER_NAMESPACE,
    true,
  ],
  ["IPv4's everything is not IPv6's", from({ ipBlock: { cidr: "0.0.0.0/0" } }), { source: "2001:db8::1" }, false],
  ["no protocol is TCP", ports({ port: 80 }), {}, true],
  ["and not UDP", ports({ port: 80 }), { protocol: "udp" }, false],
  ["no port is every one of the protocol", ports({ protocol: "UDP" }), { protocol: "udp" }, true],
  ["ports leave ICMP out", ports({}, { protocol: "UDP" }), { protocol: "icmp", port: 0 }, false],
  ["endPort is in the range", ports({ port: 70, endPort: 80 }), {}, true],
  ["and is its end", ports({ port: 70, endPort: 79 }), {}, false],
  ["a name is the target's", ports({ port: "http" }), { port: 8080 }, true],
  ["of the same protocol", ports({ port: "http", protocol: "UDP" }), { port: 8080, protocol: "udp" }, false],
  ["going out it is the destination's", to({ ports: [{ port: "http" }] }), { ...OUT, port: 8080 }, true],
  ["which strangers have none of", to({ ports: [{ port: "http" }] }), {
    ...OUT,
    destination: "192.0.2.1",
    port: 8080,
  }, false],
  ["nor blocks", to({ to: [{ ipBlock: { cidr: "0.0.0.0/0" } }], ports: [{ port: "http" }] }), {
    ...OUT,
    port: 8080,
  }, false],
  ["a block that is none closes all", from({ podSelector: {} }, { ipBlock: { cidr: "10.0.0.0/33" } }), {}, false],
  ["a peer that says nothing too", from({ podSelector: {} }, {}), {}, false],
];

Deno.test("isAllowed() says what the API says, statement by statement", () => {
  for (const [what, policy, change, allowed] of ROWS) {
    assertEquals(isAllowed({ ...WORLD, policies: [policy] }, packet(change)), allowed, what);
  }
});

Deno.test("isAllowed() asks both ends, and takes policies together", () => {
  const local = [...WORLD.local, { link: "client", namespace: "a", name: "client", addresses: ["10.0.0.2"] }];
  const inside = packet({ cameBy: "client" });
  const world = { ...WORLD, local };
  const egress = policy({ podSelector: CLIENTS, policyTypes: ["Egress"] });
  assertEquals(isAllowed({ ...world, policies: [egress] }, inside), false);
  assertEquals(isAllowed({ ...world, policies: [egress, to({})] }, inside), true);
  assertEquals(isAllowed({ ...world, policies: [egress, to({}), DENY] }, inside), false);
  assertEquals(isAllowed({ ...world, policies: [egress, to({}), DENY, from({ podSelector: {} })] }, inside), true);
});
