/** Custom objects against their schema, and what a bad NodeConfig meets. */
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { InvalidInput } from "../../../src/fault/invalid_input.ts";
import { parseNodeConfig } from "../../../src/nodeconfig/parse_node_config.ts";
import { BAD_NODE_CONFIGS } from "../../../src/nodeconfig/testdata/bad_node_configs.ts";
import type { Answer } from "./_client.ts";
import { type Case, make, NODE_CONFIGS, nodeConfig, patch } from "./_contract.ts";
import { type Json, valueAt } from "./_object.ts";

const PEERS = [{ address: "2001:db8::1", asn: 65000 }, { address: "192.0.2.1", asn: 4200000000 }];

/** At the edges of what is allowed. */
const GOOD_SPECS: readonly Json[] = [
  { cidr4: ["203.0.113.4/30"], mtu: 576 },
  { cidr6: ["2001:db8:f001::/127", "2001:db8:f001::2/127"], mtu: 1280 },
  { cidr6: ["2001:DB8:F001:0::/64"], cidr4: ["10.0.0.0/8"], mtu: 65535, defaults: { ipv4: false } },
  { cidr4: ["1.0.0.0/8"], bgp: { asn: 1, routerId: "255.255.255.255", peers: PEERS } },
  {
    cidr4: ["203.0.113.0/24"],
    bgp: {
      asn: 1,
      peers: [
        {
          address: "192.0.2.1",
          asn: 1,
          holdTime: 3,
          bfd: {},
          multihop: 255,
          ttlSecurity: true,
          gracefulRestart: false,
        },
        {
          address: "2001:db8::1",
          asn: 1,
          holdTime: 65535,
          bfd: { receiveInterval: 10, transmitInterval: 60000, multiplier: 255 },
          extendedNextHop: true,
          importLimit: 10_000_000,
        },
      ],
    },
  },
  { cidr4: Array.from({ length: 8 }, (_, i) => `100.64.${i}.0/24`), bgp: { asn: 65000, peers: PEERS.slice(0, 1) } },
];

export const SCHEMA_CASES: readonly Case[] = [
  {
    title: "takes what is at the edge of what is allowed, and so does the parser",
    run: async (subject) => {
      for (const [index, spec] of GOOD_SPECS.entries()) {
        parseNodeConfig(await make(subject, NODE_CONFIGS, nodeConfig(`s-good-${index}`, spec)));
      }
    },
  },
  {
    title: "drops unknown fields and fills in defaults",
    run: async (subject) => {
      const spec = {
        cidr4: ["203.0.113.0/24"],
        unknown: 1,
        bgp: { asn: 4294967295, other: {} },
        defaults: { ipv6: false },
      };
      const made = await make(subject, NODE_CONFIGS, nodeConfig("s-defaults", spec));
      assertEquals(valueAt(made, "spec"), {
        cidr4: ["203.0.113.0/24"],
        bgp: { asn: 4294967295, peers: [] },
        defaults: { ipv6: false, ipv4: true },
        logLevel: "info",
        portmap: false,
      });
      assertEquals(parseNodeConfig(made).bgp?.asn, 4294967295);
    },
  },
  {
    title: "refuses a status that breaks the schema",
    run: async (subject) => {
      await make(subject, NODE_CONFIGS, nodeConfig("s-status"));
      const send = (status: Json): Promise<Answer> => patch(subject, `${NODE_CONFIGS}/s-status/status`, { status });
      const condition = {
        type: "Ready",
        status: "True",
        reason: "Accepted",
        message: "",
        lastTransitionTime: "2026-01-01T00:00:00Z",
      };
      const session = { address: "192.0.2.1", state: "Established", since: "2026-01-01T00:00:00Z" };
      const good = { observedGeneration: 1, conditions: [condition], peers: [session], advertised: ["203.0.113.0/24"] };
      assertEquals((await send(good)).status, 200);
      assertEquals((await send({ conditions: [condition, condition] })).status, 422);
      assertEquals((await send({ conditions: [{ ...condition, status: "Yes" }] })).status, 422);
      assertEquals((await send({ peers: [{ ...session, since: "yesterday" }] })).status, 422);
    },
  },
  ...BAD_NODE_CONFIGS.map((bad, index): Case => ({
    title: `refuses ${bad.title}, or leaves it to the parser; both name the field (issue: bad input)`,
    run: async ({ server, client }) => {
      const object = nodeConfig(`s-bad-${index}`, bad.spec);
      const { status, body } = await client.call("POST", NODE_CONFIGS, { body: object });
      const message = String(valueAt(body, "message"));
      // The embedded server evaluates no CEL: what only CEL refuses it takes, and the agent's parser is what stands in the way.
      const refused = server.kind === "real" || bad.refusedBy === "schema";
      assertEquals(status, refused ? 422 : 201, message);
      if (refused) {
        assertStringIncludes(message, bad.field.replace(/\[\d+\].*/, ""));
        assertMatch(message, /must|should|may not|needs|leave|Required|supported values/);
      }
      const metadata = { name: "s-bad", uid: "u", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z" };
      const parsed = await assertRejects(async () => await parseNodeConfig({ ...object, metadata }), InvalidInput);
      assertStringIncludes(parsed.message, bad.field);
      assertStringIncludes(parsed.message, bad.rule);
    },
  })),
];
