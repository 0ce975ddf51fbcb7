/**
 * A dozen events, four to each of three pods, may come in 12! orders; all of them go through the same 4096 states (which of them have
 * happened) by the same 24 576 steps. Every one of these is looked at.
 */
import { assert, assertEquals } from "@std/assert";
import { type Address, parseAddress } from "../ip/address.ts";
import { type AnycastClaim, resolveAnycast } from "./resolve_anycast.ts";

const EVENTS = ["ADD is answered", "the pod becomes Ready", "the pod is deleted", "DEL"] as const;
const PODS = [1, 2, 3];
const DOZEN = PODS.flatMap((pod) => EVENTS.map((event) => ({ pod, event })));
const STATES = 1 << DOZEN.length;

function addressOf(text: string): Address {
  const address = parseAddress(text);
  assert(address, text);
  return address;
}

const SHARED = addressOf("2001:db8:a::53");
const ALONE = addressOf("192.0.2.53");

/** What of a dozen events has happened to the pod, by position in EVENTS. */
function happenedTo(pod: number, state: number): readonly boolean[] {
  return EVENTS.map((_, index) => (state >> ((pod - 1) * EVENTS.length + index) & 1) === 1);
}

function claimsIn(state: number): AnycastClaim[] {
  return PODS.flatMap((number): AnycastClaim[] => {
    const [answered, ready, deleted, gone] = happenedTo(number, state);
    if (gone) return [];
    return [{
      owner: `dns/pod-${number}`,
      link: `flock0000000${number}`,
      unicast: [addressOf(`2001:db8:f::${number}`), addressOf(`203.0.113.${number}`)],
      anycast: number === 1 ? [SHARED, ALONE] : [SHARED],
      state: answered ? "committed" : "pending",
      pod: deleted ? "terminating" : ready ? "ready" : "notReady",
    }];
  });
}

/** address -> the pods that serve it */
function serversIn(state: number): Record<string, number[]> {
  const claims = claimsIn(state);
  const order = [...claims.slice(state % 3), ...claims.slice(0, state % 3)];
  const { routes } = resolveAnycast(state % 2 === 0 ? order : order.toReversed());
  return Object.fromEntries(
    routes.map(({ address, hops }) => [address.text, hops.map(({ link }) => Number(link.slice(-1)))]),
  );
}

function servesIn(state: number, pod: number): boolean {
  const [answered, ready, deleted, gone] = happenedTo(pod, state);
  return answered === true && ready === true && !deleted && !gone;
}

Deno.test("after any of a dozen events in any order, an address leads to the pods that may serve it now, whatever came before", () => {
  for (let state = 0; state < STATES; state++) {
    const serving = PODS.filter((pod) => servesIn(state, pod));
    assertEquals(serversIn(state), {
      ...(serving.includes(1) ? { [ALONE.text]: [1] } : {}),
      ...(serving.length > 0 ? { [SHARED.text]: serving } : {}),
    });
  }
});

Deno.test("no event of one pod, in any order of a dozen, brings or takes another pod as a next hop (T-BGP-06)", () => {
  const others = (state: number, pod: number): number[] =>
    serversIn(state)[SHARED.text]?.filter((each) => each !== pod) ?? [];
  for (let state = 0; state < STATES; state++) {
    DOZEN.forEach(({ pod }, bit) => {
      if ((state >> bit & 1) === 0) assertEquals(others(state | 1 << bit, pod), others(state, pod));
    });
  }
});
