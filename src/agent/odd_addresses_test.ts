/** Every place that takes an address or a prefix meets the same odd forms, and refuses them alike. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { InvalidInput } from "../fault/invalid_input.ts";
import { ODD_ADDRESSES, ODD_LENGTHS, SPECIAL_ADDRESSES } from "../ip/testdata/odd_forms.ts";
import { parseNodeConfig } from "../nodeconfig/parse_node_config.ts";
import { resolveAddressRequest } from "../pod/resolve_address_request.ts";
import { parseAllocation, parseResting } from "../store/parse_state.ts";
import { StateDamaged } from "../store/state_damaged.ts";

const METADATA = { name: "node-a", uid: "u", generation: 1, creationTimestamp: "2026-01-02T03:04:05Z" };
const SPEC = { cidr4: ["203.0.113.0/24"], cidr6: ["2001:db8:f001::/64"] };
const CONFIG = parseNodeConfig({ metadata: METADATA, spec: SPEC });
const ODD_PREFIXES = [
  ...ODD_ADDRESSES.filter((text) => text === text.trim()).flatMap((text) => [text, `${text}/32`, `${text}/128`]),
  ...ODD_LENGTHS.filter((length) => length === length.trim()).flatMap((
    length,
  ) => [`203.0.113.0${length}`, `2001:db8:f001::${length}`]),
];

/** Printable and short: what an operator gets to read. */
function assertReadable(message: string): void {
  assertMatch(message, /^[\x20-\x7e]{1,400}$/);
}

function refuseSpec(spec: Record<string, unknown>, field: string): void {
  const error = assertThrows(() => parseNodeConfig({ metadata: METADATA, spec: { ...SPEC, ...spec } }), InvalidInput);
  assert(error.problems.some((problem) => problem.field.startsWith(field)), error.message);
  assertReadable(error.message);
}

Deno.test("a NodeConfig refuses odd and special addresses in each of its fields", () => {
  for (const text of [...ODD_ADDRESSES, ...SPECIAL_ADDRESSES]) {
    refuseSpec({ bgp: { asn: 1, peers: [{ address: text, asn: 2 }] } }, "spec.bgp.peers[0].address");
    refuseSpec({ cidr4: [`${text}/24`] }, "spec.cidr4[0]");
    refuseSpec({ cidr6: [`${text}/64`] }, "spec.cidr6[0]");
  }
  for (const text of ODD_ADDRESSES) refuseSpec({ bgp: { asn: 1, routerId: text } }, "spec.bgp.routerId");
  for (const text of ["2001:db8::1", "0.0.0.0"]) refuseSpec({ bgp: { asn: 1, routerId: text } }, "spec.bgp.routerId");
  for (const length of ODD_LENGTHS) {
    refuseSpec({ cidr4: [`203.0.113.0${length}`] }, "spec.cidr4[0]");
    refuseSpec({ cidr6: [`2001:db8:f001::${length}`] }, "spec.cidr6[0]");
  }
});

Deno.test("annotations refuse odd and special prefixes", () => {
  const resolve = (key: string, text: string): unknown =>
    resolveAddressRequest({
      annotations: new Map([[key, text]]),
      config: CONFIG,
      identity: { namespace: "a", name: "b" },
    });
  const special = SPECIAL_ADDRESSES.flatMap((text) => [`${text}/32`, `${text}/128`]);
  for (const text of [...ODD_PREFIXES, ...special]) {
    for (const key of ["cidr4", "cidr6"]) {
      assertReadable(
        assertThrows(() => resolve(key, text), InvalidInput, `annotation flock.fritzlab.net/${key}`).message,
      );
    }
  }
});

Deno.test("the state file is damaged where it holds an odd address", () => {
  const allocation = {
    containerId: "c",
    ifname: "eth0",
    netns: "/run/netns/a",
    hostLink: "flock00000001",
    podMac: "02:00:00:00:00:01",
  };
  const rest = { mtu: 1500, state: "committed", createdAt: 1 };
  assertEquals(parseAllocation({ ...allocation, ...rest, ipv4: "203.0.113.7" }, 0).ipv4, "203.0.113.7");
  for (const text of ODD_ADDRESSES) {
    for (const field of ["ipv4", "ipv6"]) {
      assertThrows(() => parseAllocation({ ...allocation, ...rest, [field]: text }, 0), StateDamaged);
    }
    assertThrows(() => parseResting([{ address: text, freedAt: 1 }]), StateDamaged);
  }
});
