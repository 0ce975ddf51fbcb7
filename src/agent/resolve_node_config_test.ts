import { assertEquals, assertStringIncludes } from "@std/assert";
import { parseAddress } from "../ip/address.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import { chooseMtu } from "./choose_mtu.ts";
import {
  decodeNodeConfig,
  type NodeConfigReading,
  type NodeConfigResolution,
  resolveNodeConfig,
} from "./resolve_node_config.ts";

function raw(
  name: string,
  spec: Record<string, unknown> = {},
  createdAt = "2026-01-01T00:00:00Z",
): Record<string, unknown> {
  return {
    apiVersion: "flock.fritzlab.net/v1alpha1",
    kind: "NodeConfig",
    metadata: { name, uid: `uid-${name}`, generation: 3, creationTimestamp: createdAt },
    spec: { cidr4: ["203.0.113.0/24"], bgp: { asn: 65101, peers: [{ address: "192.0.2.1", asn: 65000 }] }, ...spec },
  };
}

function readings(...objects: Record<string, unknown>[]): Map<string, NodeConfigReading> {
  return new Map(objects.flatMap((object) => {
    const reading = decodeNodeConfig(object);
    return reading === undefined ? [] : [[reading.name, reading] as const];
  }));
}

const own = parseAddress("192.0.2.10");
const network = {
  addresses: own === undefined
    ? []
    : [{ address: own, length: 24, link: "up0", permanent: true, scope: "global" as const }],
  defaultRoutes: [{ family: 4 as const, link: "up1", fromRouterAdvertisement: false }],
  mtus: new Map([["up0", 9000], ["up1", 1500]]),
};

function resolve(map: Map<string, NodeConfigReading>, inForce?: NodeConfig): NodeConfigResolution {
  return resolveNodeConfig({ nodeName: "node-a", readings: map, network, inForce });
}

Deno.test("resolveNodeConfig() puts a valid NodeConfig in force", () => {
  const { inForce, verdict } = resolve(readings(raw("node-a")));
  assertEquals([inForce?.generation, verdict.reason], [3, "Accepted"]);
});

Deno.test("resolveNodeConfig() keeps the last good one over an invalid and a deleted one", () => {
  const good = resolve(readings(raw("node-a"))).inForce;
  for (const spec of [{ cidr4: ["192.0.2.0/28"] }, { cidr4: ["203.0.113.1/24"] }, { bgp: { asn: 0, peers: [] } }]) {
    const { inForce, verdict } = resolve(readings(raw("node-a", spec)), good);
    assertEquals([inForce, verdict.reason], [good, "Invalid"]);
    assertStringIncludes(verdict.message, "generation 3 stays in force");
  }
  const { inForce, verdict } = resolve(new Map(), good);
  assertEquals([inForce, verdict.reason], [good, "Deleted"]);
});

Deno.test("resolveNodeConfig() has nothing to put in force where there has never been a valid one", () => {
  assertEquals(resolve(new Map()).verdict.reason, "Missing");
  const { inForce, verdict } = resolve(readings(raw("node-a", { cidr4: ["yes"] })));
  assertEquals([inForce, verdict.reason], [undefined, "Invalid"]);
});

Deno.test("resolveNodeConfig() rejects the younger of two that overlap (T-REL-23), and warns of a shared ASN", () => {
  const older = raw("node-b", {}, "2025-01-01T00:00:00Z");
  assertEquals(resolve(readings(raw("node-a"), older)).verdict.reason, "Invalid");
  const younger = raw("node-b", {}, "2027-01-01T00:00:00Z");
  const { verdict, warnings } = resolve(readings(raw("node-a"), younger));
  assertEquals(verdict.reason, "Accepted");
  assertStringIncludes(warnings[0] ?? "", "65101");
});

Deno.test("resolveNodeConfig() warns of a peer whose address a pod of the node had first", () => {
  const peers = [{ address: "192.0.2.1", asn: 65000 }, { address: "192.0.2.2", asn: 65000 }];
  const all = readings(raw("node-a", { bgp: { asn: 65101, peers } }));
  const warningsWith = (...held: string[]): readonly string[] => {
    const podAddresses = new Map(held.map((text) => [text, "pod ns/web"]));
    const resolution = resolveNodeConfig({
      nodeName: "node-a",
      readings: all,
      network,
      inForce: undefined,
      podAddresses,
    });
    assertEquals(resolution.verdict.reason, "Accepted");
    return resolution.warnings;
  };
  assertEquals(warningsWith("203.0.113.7"), []);
  assertEquals(warningsWith("203.0.113.7", "192.0.2.2"), [
    "spec.bgp.peers[1].address 192.0.2.2 is pod ns/web's as well: what is for the router goes to the pod",
  ]);
});

Deno.test("resolveNodeConfig() gives no prefix that another node has in use to an older NodeConfig that was edited", () => {
  const older = raw("node-b", {}, "2025-01-01T00:00:00Z");
  const advertising = { ...raw("node-a"), status: { advertised: ["203.0.113.0/24"] } };
  assertEquals(resolve(readings(advertising, older)).verdict.reason, "Accepted");
  const good = resolve(readings(raw("node-a"))).inForce;
  assertEquals(resolve(readings(raw("node-a"), older), good).verdict.reason, "Accepted");
  const served = { ...raw("node-b", { cidr4: ["198.51.100.0/24"] }), status: { advertised: ["203.0.113.0/25"] } };
  const { verdict } = resolve(readings(raw("node-a", {}, "2025-01-01T00:00:00Z"), served));
  assertEquals(verdict.reason, "Invalid");
  assertStringIncludes(verdict.message, "203.0.113.0/25 of NodeConfig node-b");
});

Deno.test("resolveNodeConfig() takes no single address that another node serves for a claim to the CIDR around it, of one in force or a new one", () => {
  const status = { advertised: ["198.51.100.0/24", "203.0.113.53/32", "2001:db8:f001::53/128"] };
  const older = { ...raw("node-b", { cidr4: ["198.51.100.0/24"] }, "2025-01-01T00:00:00Z"), status };
  const all = readings(raw("node-a", { cidr4: ["203.0.113.0/24"], cidr6: ["2001:db8:f001::/64"] }), older);
  const { inForce, verdict } = resolve(all);
  assertEquals([verdict.reason, resolve(all, inForce).verdict.reason], ["Accepted", "Accepted"]);
});

Deno.test("chooseMtu() takes the link towards the peers, else the default route's, else what the NodeConfig says", () => {
  const config = resolve(readings(raw("node-a"))).inForce;
  if (config === undefined) throw new Error("Cannot test: no NodeConfig");
  const { bgp: _bgp, ...withoutBgp } = config;
  assertEquals(chooseMtu(config, network), 9000);
  assertEquals(chooseMtu(withoutBgp, network), 1500);
  assertEquals(chooseMtu({ ...config, mtu: 1400 }, network), 1400);
  assertEquals(chooseMtu(withoutBgp, { ...network, defaultRoutes: [] }), 1500);
});
