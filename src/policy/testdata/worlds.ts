/** Worlds whose tables are kept beside as golden files. */
import type { WorldFields } from "./_policy_fixture.ts";

const PODS: WorldFields["pods"] = {
  web: { labels: { app: "web" }, ips: ["192.0.2.1", "2001:db8::1"], ports: { http: 8080 }, link: "flock00000001" },
  db: {
    labels: { app: "db" },
    ips: ["192.0.2.2", "2001:db8::2"],
    ports: { sql: 5432, "stats/UDP": 9125, "late/SCTP": 7 },
    annotations: { "flock.fritzlab.net/anycast": "198.51.100.53" },
    link: "flock00000002",
    logDrops: true,
  },
  job: { labels: { app: "job" }, ips: ["192.0.2.3"], link: "flock00000003" },
  client: { namespace: "far", labels: { app: "client" }, ips: ["192.0.2.9", "2001:db8::9"], ports: { http: 80 } },
};

const NAMESPACES: WorldFields["namespaces"] = { default: { team: "a" }, far: { team: "b" } };

/** Every kind of peer and port, in both directions. */
const FULL: WorldFields = {
  pods: { ...PODS, idle: { ips: ["192.0.2.4", "2001:db8::4"] } },
  namespaces: NAMESPACES,
  policies: {
    web: {
      podSelector: { matchLabels: { app: "web" } },
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        {
          from: [{ namespaceSelector: { matchLabels: { team: "b" } } }, { podSelector: {} }],
          ports: [{ port: "http" }],
        },
        {
          from: [
            { ipBlock: { cidr: "198.51.100.7/24", except: ["198.51.100.64/26"] } },
            { ipBlock: { cidr: "2001:db8:f::/48" } },
          ],
          ports: [{ port: 80 }, { port: 8000, endPort: 8100 }, { protocol: "UDP" }, { protocol: "SCTP", port: 7 }],
        },
        { from: [{ ipBlock: { cidr: "0.0.0.0/0" } }], ports: [{ port: 443 }] },
      ],
      egress: [
        {
          to: [{ podSelector: { matchLabels: { app: "db" } } }],
          ports: [{ port: "sql" }, { protocol: "UDP", port: 53 }],
        },
        { ports: [{ protocol: "SCTP", port: "late" }] },
        { to: [{ ipBlock: { cidr: "203.0.113.5/32" } }] },
      ],
    },
    db: { podSelector: { matchLabels: { app: "db" } }, ingress: [{}] },
    closed: { podSelector: { matchExpressions: [{ key: "app", operator: "In", values: ["db", "web"] }] } },
    elsewhere: { podSelector: { matchLabels: { app: "nobody" } }, ingress: [{ from: [{ podSelector: {} }] }] },
  },
};

/** Name of the golden file, without `.nft` -> world */
export const GOLDEN_WORLDS: Readonly<Record<string, WorldFields>> = {
  empty: {},
  unselected: { pods: PODS, namespaces: NAMESPACES, policies: { far: { podSelector: { matchLabels: { app: "x" } } } } },
  closed: {
    pods: PODS,
    namespaces: NAMESPACES,
    policies: { all: { podSelector: {}, policyTypes: ["Egress", "Ingress"] } },
  },
  full: FULL,
};
