import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Address, parseAddress } from "../ip/address.ts";
import { type AnycastClaim, resolveAnycast, type ResolvedAnycast } from "./resolve_anycast.ts";

const DNS6 = "2001:db8:a::53";
const DNS4 = "192.0.2.53";

function addresses(...texts: readonly string[]): Address[] {
  return texts.map((text) => {
    const address = parseAddress(text);
    assert(address, text);
    return address;
  });
}

/** A Ready pod with both families that claims both DNS addresses. */
function claim(number: number, but: Partial<AnycastClaim> = {}): AnycastClaim {
  return {
    owner: `dns/pod-${number}`,
    link: `flock0000000${number}`,
    unicast: addresses(`2001:db8:f::${number}`, `203.0.113.${number}`),
    anycast: addresses(DNS6, DNS4),
    state: "committed",
    pod: "ready",
    ...but,
  };
}

/** `address via link, ...` for each route, and `address owner reason` for each refusal. */
function told({ routes, decisions }: ResolvedAnycast): { routes: string[]; refused: string[] } {
  return {
    routes: routes.map(({ address, hops }) =>
      `${address.text} ${hops.map(({ via, link }) => `${via.text} ${link}`).join(", ")}`
    ),
    refused: decisions.flatMap((each) => each.serves ? [] : [`${each.address.text} ${each.owner} ${each.reason}`]),
  };
}

const ONE_POD = [`${DNS4} 203.0.113.1 flock00000001`, `${DNS6} 2001:db8:f::1 flock00000001`];

Deno.test("a Ready pod serves each of its anycast addresses by way of its own address of the family", () => {
  const resolved = resolveAnycast([claim(1)]);
  assertEquals(told(resolved), { routes: ONE_POD, refused: [] });
  const decisions = addresses(DNS4, DNS6).map((address) => ({ address, owner: "dns/pod-1", serves: true as const }));
  assertEquals(resolved.decisions, decisions);
});

Deno.test("several pods of the node share an address, their next hops sorted by number, not by text", () => {
  const claims = [claim(1), claim(2), claim(3, { unicast: addresses("203.0.113.10"), anycast: addresses(DNS4) })];
  assertEquals(told(resolveAnycast(claims)).routes, [
    `${DNS4} 203.0.113.1 flock00000001, 203.0.113.2 flock00000002, 203.0.113.10 flock00000003`,
    `${DNS6} 2001:db8:f::1 flock00000001, 2001:db8:f::2 flock00000002`,
  ]);
});

Deno.test("the primary address of a family is the next hop, the others are not", () => {
  const unicast = addresses("203.0.113.9", "2001:db8:f::9", "203.0.113.1", "2001:db8:f::1");
  assertEquals(told(resolveAnycast([claim(1, { unicast })])).routes, [
    `${DNS4} 203.0.113.9 flock00000001`,
    `${DNS6} 2001:db8:f::9 flock00000001`,
  ]);
});

Deno.test("one of two pods that leaves keeps the route, the other one takes it away (T-BGP-06)", () => {
  const [stays, leaves] = [claim(1), claim(2)];
  for (
    const left of [[], [{ ...leaves, pod: "terminating" as const }], [{ ...leaves, pod: "notReady" as const }]]
  ) {
    assertEquals(told(resolveAnycast([stays, ...left])).routes, ONE_POD);
    assertEquals(told(resolveAnycast([{ ...stays, pod: "terminating" }, ...left])).routes, []);
  }
});

Deno.test("who does not serve is told why: allocation pending, terminating, not Ready, not known", () => {
  const refusals: [but: Partial<AnycastClaim>, reason: string][] = [
    [{ state: "pending" }, "pending"],
    [{ state: "pending", pod: "terminating" }, "pending"],
    [{ pod: "terminating" }, "terminating"],
    [{ pod: "notReady" }, "notReady"],
    [{ pod: "unknown" }, "unknown"],
    [{ pod: "unknown", unicast: [] }, "unknown"],
  ];
  for (const [but, reason] of refusals) {
    const refused = [`${DNS4} dns/pod-2 ${reason}`, `${DNS6} dns/pod-2 ${reason}`];
    assertEquals(told(resolveAnycast([claim(2, but)])), { routes: [], refused });
    assertEquals(told(resolveAnycast([claim(2, but), claim(1)])), { routes: ONE_POD, refused });
  }
});

Deno.test("a family that the pod does not have is not served, the other one is", () => {
  assertEquals(told(resolveAnycast([claim(1, { unicast: addresses("2001:db8:f::1") })])), {
    routes: [`${DNS6} 2001:db8:f::1 flock00000001`],
    refused: [`${DNS4} dns/pod-1 noUnicast`],
  });
  const [six, four] = [claim(1, { anycast: addresses(DNS6) }), claim(2, { anycast: addresses(DNS4) })];
  assertEquals(told(resolveAnycast([six, four])).routes, [
    `${DNS4} 203.0.113.2 flock00000002`,
    `${DNS6} 2001:db8:f::1 flock00000001`,
  ]);
});

Deno.test("an address that is claimed twice by one pod is served once, and no claims lead to nothing", () => {
  assertEquals(resolveAnycast([claim(1, { anycast: addresses(DNS6, DNS4, DNS6) })]), resolveAnycast([claim(1)]));
  assertEquals(resolveAnycast([claim(1, { anycast: [] })]), { routes: [], decisions: [] });
  assertEquals(resolveAnycast([]), { routes: [], decisions: [] });
});

const TEXTS = ["192.0.2.9", "192.0.2.53", "192.0.2.200", "2001:db8:a::9", "2001:db8:a::53", "2001:db8:b::"];
const CLAIMS: fc.Arbitrary<AnycastClaim[]> = fc.uniqueArray(
  fc.record({
    owner: fc.nat(4).map((number) => `dns/pod-${number}`),
    link: fc.nat(0xff).map((number) => `flock${number.toString(16).padStart(8, "0")}`),
    unicast: fc.subarray(addresses("2001:db8:f::1", "203.0.113.1", "203.0.113.2", "2001:db8:f::ff")),
    anycast: fc.subarray(addresses(...TEXTS)),
    state: fc.constantFrom("committed", "committed", "pending"),
    pod: fc.constantFrom("ready", "ready", "ready", "notReady", "terminating", "unknown"),
  }),
  { selector: ({ link }) => link, maxLength: 8 },
);

Deno.test("any claims in any order: one answer, sorted, and each address leads to exactly those who may serve it", () => {
  fc.assert(
    fc.property(CLAIMS.chain((claims) => fc.tuple(fc.constant(claims), shuffled(claims))), ([claims, other]) => {
      const resolved = resolveAnycast(claims);
      assertEquals(resolveAnycast(other.map((each) => ({ ...each, anycast: each.anycast.toReversed() }))), resolved);
      const served = claims.flatMap((each) =>
        each.anycast.filter(({ family }) =>
          each.state === "committed" && each.pod === "ready" && each.unicast.some((own) => own.family === family)
        ).map(({ text }) => `${text} ${each.link}`)
      );
      const led = resolved.routes.flatMap(({ address, hops }) => hops.map(({ link }) => `${address.text} ${link}`));
      assertEquals(led.toSorted(), served.toSorted());
      assertEquals(resolved.decisions.filter(({ serves }) => serves).length, served.length);
      assertEquals(resolved.decisions.length, claims.flatMap(({ anycast }) => anycast).length);
      assertEquals(
        resolved.routes.map(({ address }) => address.text),
        TEXTS.filter((text) => led.join().includes(text)),
      );
    }),
    { numRuns: 500 },
  );
});

function shuffled<T>(items: readonly T[]): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray([...items], { minLength: items.length });
}
