import { assertEquals } from "@std/assert";
import { parseNodeConfig } from "./parse_node_config.ts";
import { renderNodeConfig } from "./render_node_config.ts";

const FULL = {
  metadata: {
    name: "node-a",
    uid: "u1",
    generation: 7,
    creationTimestamp: "2026-01-02T03:04:05Z",
    annotations: { "flock.fritzlab.net/ip-algo": "namespace, nonsense" },
  },
  spec: {
    cidr6: ["2001:db8:f001::/64"],
    cidr4: ["203.0.113.0/24", "198.51.100.0/25"],
    defaults: { ipv6: true, ipv4: false },
    mtu: 1400,
    portmap: true,
    metrics: { bind: "Node", port: 9500, perPod: true },
    logLevel: "warn",
    bgp: {
      asn: 4200000000,
      routerId: "192.0.2.10",
      maxAnnounced: 100,
      aggregates: { communities: ["65000:2", "65000:1", "65000:2"], largeCommunities: ["4200000000:1:2"] },
      anycast: { communities: ["65535:65281"], med: 0, prepend: 2 },
      peers: [
        { address: "2001:db8::1", asn: 65000, password: { file: "router.a" } },
        { address: "2001:db8::2", asn: 65000, extendedNextHop: true, importLimit: 9, bfd: { multiplier: 5 } },
        { address: "192.0.2.1", asn: 65000, holdTime: 9, multihop: 3, ttlSecurity: true, gracefulRestart: false },
      ],
    },
  },
};

for (
  const [what, raw] of [["a full one", FULL], ["a small one", {
    ...FULL,
    spec: { cidr4: ["203.0.113.0/24"] },
  }]] as const
) {
  Deno.test(`renderNodeConfig() gives what parseNodeConfig() reads as the same: ${what}`, () => {
    const config = parseNodeConfig(raw);
    assertEquals(parseNodeConfig(JSON.parse(JSON.stringify(renderNodeConfig(config)))), config);
  });
}
