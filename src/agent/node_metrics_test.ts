import { assertEquals } from "@std/assert";
import { parseAddress } from "../ip/address.ts";
import { CONFIG } from "./_agent_fixture.ts";
import type { MetricFacts } from "./metric_facts.ts";
import { METRICS } from "./node_metrics.ts";

const PEER = "2001:db8::1";

function ip(text: string): NonNullable<ReturnType<typeof parseAddress>> {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(text);
  return address;
}

/** @param established of the one session, which is with an IPv6 peer; undefined: BIRD does not answer */
function factsOf(established: boolean | undefined): Pick<MetricFacts, "reconciler" | "sessions"> {
  const config = { ...CONFIG, bgp: { asn: 65101, peers: [{ address: ip(PEER), asn: 65000 }] } };
  const resolution = { inForce: config, verdict: { reason: "Accepted", message: "" }, warnings: [] } as const;
  const anycast = ["2001:db8:a::53", "198.51.100.53", "2001:db8:a::54"].map((text, index) => {
    const claim = { address: ip(text), owner: "default/dns", link: "flock00000001" };
    return index < 2
      ? { ...claim, serves: true as const }
      : { ...claim, serves: false as const, reason: "notReady" as const };
  });
  const view = {
    resolution,
    advertised: ["2001:db8:a::53/128", "198.51.100.53/32"],
    anycast,
    bird: { applied: true },
  } as const;
  const state = { peer: ip(PEER), established: established === true, state: established ? "Established" : "Active" };
  return {
    reconciler: { ready: true, serving: { ready: true, peers: 1, why: "" }, config, resolution, view },
    sessions: {
      view: { asked: true, everEstablished: true, sessions: established === undefined ? undefined : [state] },
      losses: new Map(),
    },
  };
}

Deno.test("an anycast address is advertised only while BIRD has a session of its family to tell it over", () => {
  const metric = METRICS.find(({ name }) => name === "flock_anycast_addresses");
  const advertised = (established: boolean | undefined): unknown =>
    metric?.read(factsOf(established) as MetricFacts).map(({ value }) => value);
  assertEquals(advertised(true), [1, 2]);
  assertEquals(advertised(false), [0, 3]);
  assertEquals(advertised(undefined), [0, 3]);
});

Deno.test("warnings about the NodeConfig are counted, those of the last announcement among them", () => {
  const metric = METRICS.find(({ name }) => name === "flock_nodeconfig_warnings");
  const facts = factsOf(true);
  const { resolution, view } = facts.reconciler;
  assertEquals(metric?.read(facts as MetricFacts), [{ value: 0 }]);
  const warned = {
    ...(resolution !== undefined && { resolution: { ...resolution, warnings: ["a"] } }),
    ...(view !== undefined && { view: { ...view, warnings: ["b", "c"] } }),
  };
  const troubled = { ...facts, reconciler: { ...facts.reconciler, ...warned } };
  assertEquals(metric?.read(troubled as MetricFacts), [{ value: 3 }]);
});
