import { assertEquals } from "@std/assert";
import type { NamedPort } from "../policy/policy_world.ts";
import { parsePod } from "./parse_pod.ts";

const METADATA = { namespace: "default", name: "web-0", uid: "u1" };
const EMPTY = {
  ...METADATA,
  image: "",
  hostNetwork: false,
  ips: new Array<string>(),
  hasHostPort: false,
  ready: false,
  terminating: false,
  annotations: new Map<string, string>(),
  labels: new Map<string, string>(),
  ports: new Array<NamedPort>(),
};

Deno.test("parsePod() keeps what flock needs and nothing else", () => {
  const pod = parsePod({
    metadata: {
      ...METADATA,
      labels: { app: "web" },
      annotations: { "flock.fritzlab.net/ipv6": "true", "other/ipv4": "false", "kubernetes.io/config.hash": "abc" },
    },
    spec: {
      hostNetwork: true,
      containers: [{ image: "nginx:1", ports: [{ name: "web", containerPort: 80 }] }, { image: "sidecar" }],
    },
    status: { podIP: "203.0.113.9", podIPs: [{ ip: "203.0.113.9" }, { ip: "2001:DB8:0::9" }, { ip: 7 }, null] },
  });
  assertEquals(pod, {
    ...METADATA,
    staticHash: "abc",
    image: "nginx:1",
    hostNetwork: true,
    ips: ["203.0.113.9", "2001:db8::9"],
    hasHostPort: false,
    ready: false,
    terminating: false,
    annotations: new Map([["ipv6", "true"]]),
    labels: new Map([["app", "web"]]),
    ports: [{ name: "web", protocol: "tcp", port: 80 }],
  });
});

Deno.test("parsePod() finds a hostPort in any container, init containers included", () => {
  const withPort = { ports: [{ containerPort: 80 }, { containerPort: 443, hostPort: 8443 }] };
  const without = { ports: [{ containerPort: 80, hostPort: 0 }] };
  const hasHostPort = (spec: unknown): boolean | undefined => parsePod({ metadata: METADATA, spec })?.hasHostPort;
  assertEquals(hasHostPort({ containers: [without, withPort] }), true);
  assertEquals(hasHostPort({ containers: [without], initContainers: [withPort] }), true);
  assertEquals(hasHostPort({ containers: [without] }), false);
});

Deno.test("parsePod() refuses an object without namespace, name or UID", () => {
  for (const raw of [undefined, null, 7, "pod", [], {}, { metadata: null }, { metadata: [] }]) {
    assertEquals(parsePod(raw), undefined);
  }
  for (const missing of ["namespace", "name", "uid"]) {
    assertEquals(parsePod({ metadata: { ...METADATA, [missing]: undefined } }), undefined, missing);
    assertEquals(parsePod({ metadata: { ...METADATA, [missing]: 7 } }), undefined, missing);
  }
});

Deno.test("parsePod() survives any shape of the rest", () => {
  for (const odd of [null, 7, "x", [], {}, [null], [7], [[]], [{ ports: 7 }], [{ ports: [null, "x"], image: 7 }]]) {
    const spec = { containers: odd, initContainers: odd, hostNetwork: odd };
    assertEquals(parsePod({ metadata: METADATA, spec }), EMPTY);
    assertEquals(
      parsePod({ metadata: { ...METADATA, annotations: { "flock.fritzlab.net/ipv6": odd === "x" ? 1 : odd } } }),
      EMPTY,
    );
  }
  assertEquals(parsePod({ metadata: METADATA, spec: "x" }), EMPTY);
});

Deno.test("parsePod() takes hostile annotation names as plain names", () => {
  const annotations = JSON.parse(
    '{"__proto__":"x","flock.fritzlab.net/__proto__":"y","flock.fritzlab.net/constructor":"z"}',
  );
  const pod = parsePod({ metadata: { ...METADATA, annotations } });
  assertEquals([...(pod?.annotations ?? [])], [["__proto__", "y"], ["constructor", "z"]]);
});

Deno.test("parsePod() is Ready by its condition alone, and terminating from its deletionTimestamp on", () => {
  const of = (status: unknown, deletionTimestamp?: unknown): readonly unknown[] => {
    const pod = parsePod({ metadata: { ...METADATA, deletionTimestamp }, status });
    return [pod?.ready, pod?.terminating];
  };
  const conditions = (type: unknown, status: unknown): unknown => ({
    conditions: [{ type: "Initialized", status: "True" }, { type, status }],
  });
  assertEquals(of(conditions("Ready", "True")), [true, false]);
  assertEquals(of(conditions("Ready", "True"), "2026-01-01T00:00:00Z"), [true, true]);
  for (const status of ["False", "Unknown", true, undefined]) {
    assertEquals(of(conditions("Ready", status)), [false, false]);
  }
  for (const odd of [undefined, null, 7, { conditions: 7 }, conditions("ContainersReady", "True")]) {
    assertEquals(of(odd, 7), [false, false]);
  }
});
