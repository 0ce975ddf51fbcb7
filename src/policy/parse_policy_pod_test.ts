import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseNamedPorts } from "./parse_named_ports.ts";
import { parseNamespace } from "./parse_namespace.ts";
import { parsePolicyPod } from "./parse_policy_pod.ts";
import { rawPod } from "./testdata/_policy_fixture.ts";

const RUNNING = { labels: { app: "web" }, ips: ["2001:DB8::7", "192.0.2.7"], ports: { http: 80 } };
const changed = (part: Record<string, unknown>): unknown => {
  const raw = rawPod("web", RUNNING);
  return Object.fromEntries(
    Object.entries(raw).map(([key, value]) => [key, { ...Object(value), ...Object(part[key]) }]),
  );
};

Deno.test("parsePolicyPod() keeps what makes a pod a peer, its addresses in canonical form", () => {
  assertEquals(parsePolicyPod(rawPod("web", RUNNING)), {
    namespace: "default",
    labels: new Map([["app", "web"]]),
    addresses: ["2001:db8::7", "192.0.2.7"],
    ports: [{ name: "http", protocol: "tcp", port: 80 }],
  });
});

Deno.test("parsePolicyPod() knows no peer that uses its node's network (NP-32)", () => {
  assertEquals(parsePolicyPod(changed({ spec: { hostNetwork: true } })), undefined);
  assertEquals(parsePolicyPod(changed({ spec: { hostNetwork: false } }))?.addresses.length, 2);
});

Deno.test("parsePolicyPod() knows no peer without an address, and no address that is none (NP-41)", () => {
  for (
    const podIPs of [undefined, null, [], [{}], [{ ip: "" }], [{ ip: null }], [null], "192.0.2.1", [{ ip: "192.0.2" }]]
  ) {
    assertEquals(parsePolicyPod(changed({ status: { podIPs } })), undefined, JSON.stringify(podIPs));
  }
  const podIPs = [{ ip: "" }, { ip: "192.0.2.9" }, { ip: "192.0.2.9; flush ruleset" }];
  assertEquals(parsePolicyPod(changed({ status: { podIPs } }))?.addresses, ["192.0.2.9"]);
});

Deno.test("parsePolicyPod() forgets a finished pod, and keeps one that is being deleted (NP-42, NP-43)", () => {
  for (const phase of ["Succeeded", "Failed"]) assertEquals(parsePolicyPod(changed({ status: { phase } })), undefined);
  const terminating = changed({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } });
  assertEquals(parsePolicyPod(terminating)?.addresses.length, 2);
  for (const phase of ["Pending", "Unknown", undefined]) {
    assertEquals(parsePolicyPod(changed({ status: { phase } }))?.addresses.length, 2);
  }
});

Deno.test("parsePolicyPod() adds what the annotations claim validly, each address once (NP-55)", () => {
  const claims = (anycast: string, addresses = ""): readonly string[] | undefined =>
    parsePolicyPod(rawPod("web", {
      ips: ["192.0.2.7"],
      annotations: { "flock.fritzlab.net/anycast": anycast, "flock.fritzlab.net/addresses": addresses },
    }))?.addresses;
  assertEquals(claims("2001:DB8::53, x, 192.0.2.7", "192.0.2.8"), ["192.0.2.7", "192.0.2.8", "2001:db8::53"]);
  assertEquals(claims("127.0.0.1,0.0.0.0,::1,10.0.0.0/8"), ["192.0.2.7"]);
  assertEquals(claims(Array.from({ length: 5000 }, () => "192.0.2.9").join()), ["192.0.2.7"]);
});

Deno.test("parseNamedPorts() reads containers and native sidecars, and no other init container (NP-23, NP-24)", () => {
  const container = (name: string, containerPort: unknown, rest = {}): unknown => ({
    ports: [{ name, containerPort, ...rest }],
  });
  const spec = {
    containers: [container("http", 80), container("http", 81), container("dns", 53, { protocol: "UDP" }), {
      ports: [{ containerPort: 9 }],
    }],
    initContainers: [
      { ...Object(container("mesh", 15001)), restartPolicy: "Always" },
      container("once", 1),
      { ...Object(container("never", 2)), restartPolicy: "OnFailure" },
    ],
  };
  assertEquals(parseNamedPorts(spec).map(({ name, protocol, port }) => `${name} ${protocol} ${port}`), [
    "dns udp 53",
    "http tcp 80",
    "http tcp 81",
    "mesh tcp 15001",
  ]);
  const odd = {
    containers: [
      null,
      container("a", 0),
      container("b", 65536),
      container("c", "80"),
      container("", 80),
      container("d", 80, { protocol: "ICMP" }),
    ],
  };
  assertEquals(parseNamedPorts(odd), []);
});

Deno.test("pods of one kind share their labels and ports", () => {
  const [a, b] = [rawPod("a", RUNNING), rawPod("b", { ...RUNNING, ips: ["192.0.2.8"] })].map(parsePolicyPod);
  assert(a !== undefined && a.labels === b?.labels);
  assert(a.ports === b.ports);
});

Deno.test("parsePolicyPod() and parseNamespace() never throw", () => {
  const odd = fc.oneof(fc.anything(), fc.jsonValue());
  const raw = fc.record({
    metadata: fc.oneof(
      odd,
      fc.record({ name: odd, namespace: fc.oneof(odd, fc.constant("a")), labels: odd, annotations: odd }),
    ),
    spec: fc.oneof(odd, fc.record({ containers: fc.oneof(odd, fc.array(odd)), initContainers: odd })),
    status: fc.oneof(odd, fc.record({ podIPs: fc.oneof(odd, fc.array(odd)), phase: odd })),
  }, { requiredKeys: [] });
  fc.assert(fc.property(raw, (object) => {
    parsePolicyPod(object);
    parseNamespace(object);
  }));
  assertEquals(parseNamespace({ metadata: { name: "a", labels: { x: "y", z: 1 } } }), new Map([["x", "y"]]));
  assertEquals([parseNamespace({ metadata: {} }), parseNamespace(null)], [undefined, undefined]);
});
