import { assertEquals } from "@std/assert";
import type { BirdOutcome, SessionState } from "../bird/bird_driver.ts";
import { type Address, parseAddress } from "../ip/address.ts";
import type { BgpPeer } from "../nodeconfig/node_config.ts";
import { CONFIG } from "./_agent_fixture.ts";
import { type Hearing, unheardReason } from "./unheard_reason.ts";

function ip(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(text);
  return address;
}

/** @param up the peers whose sessions are established; null: BIRD did not answer */
function hearing({ bird = { applied: true }, peers = [], up = [], asked = true }: {
  bird?: BirdOutcome;
  peers?: readonly (string | BgpPeer)[];
  up?: readonly string[] | null;
  asked?: boolean;
}): Hearing {
  const configured = peers.map((peer) => typeof peer === "string" ? { address: ip(peer), asn: 65000 } : peer);
  const inForce = { ...CONFIG, bgp: { asn: 65101, peers: configured } };
  const sessions = asked && up !== null
    ? configured.map(({ address: peer }): SessionState => {
      const established = up.includes(peer.text);
      return { peer, established, state: established ? "Established" : "Active" };
    })
    : undefined;
  const resolution = { inForce, verdict: { reason: "Accepted", message: "" }, warnings: [] } as const;
  return { view: { bird, resolution }, sessions: { asked, sessions } };
}

const BOTH = ["2001:db8::1", "192.0.2.1"];

function reasons(options: Parameters<typeof hearing>[0]): string {
  return ([4, 6] as const).map((family) => unheardReason(family, hearing(options)) ?? "heard").join(" ");
}

Deno.test("unheardReason() goes by the sessions that carry the address's family", () => {
  assertEquals(reasons({ peers: BOTH, up: BOTH }), "heard heard");
  assertEquals(reasons({ peers: BOTH, up: ["192.0.2.1"] }), "heard noSession");
  assertEquals(reasons({ peers: BOTH }), "noSession noSession");
  assertEquals(reasons({ peers: ["192.0.2.1"], up: ["192.0.2.1"] }), "heard noPeer");
  assertEquals(reasons({}), "noPeer noPeer");
  const both = { address: ip("2001:db8::1"), asn: 65000, extendedNextHop: true } as const;
  assertEquals(reasons({ peers: [both], up: ["2001:db8::1"] }), "heard heard");
  assertEquals(reasons({ peers: [both] }), "noSession noSession");
});

Deno.test("unheardReason(): a BIRD that is gone or refuses tells nobody; one that was not asked yet is believed", () => {
  const gone = { applied: false, reason: "unreachable", message: "" } as const;
  assertEquals(reasons({ bird: gone, peers: BOTH, up: BOTH }), "birdUnreachable birdUnreachable");
  assertEquals(reasons({ peers: BOTH, up: null }), "birdUnreachable birdUnreachable");
  const refused = { applied: false, reason: "refused", message: "" } as const;
  assertEquals(reasons({ bird: refused, peers: BOTH, up: BOTH }), "birdRefused birdRefused");
  assertEquals(reasons({ peers: BOTH, asked: false }), "heard heard");
  assertEquals(reasons({ peers: ["192.0.2.1"], asked: false }), "heard noPeer");
});
