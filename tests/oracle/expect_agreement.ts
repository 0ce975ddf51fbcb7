import fc from "fast-check";
import { arbitraryPacket, packetIn } from "./arbitrary_packet.ts";
import { arbitraryWorld } from "./arbitrary_world.ts";
import { isAllowed } from "./evaluate.ts";
import type { Packet } from "./packet.ts";
import type { RawWorld } from "./raw_objects.ts";
import { withoutRules } from "./without_rules.ts";

/** Says of packets whether they pass: what is held against the API's text. */
export type Judge = (packet: Packet) => boolean;

export interface Search {
  readonly worlds: number;
  /** Most of them. */
  readonly packetsOfEach: number;
  /** Default: another one every time. */
  readonly seed?: number;
  /** Default: a disagreement is shrunk to the smallest. */
  readonly isShrunk?: boolean;
}

/** How many packets were judged, by what the API says of them. */
export interface Tally {
  /** By a rule: without rules the same policies would let them pass no more. */
  allowed: number;
  denied: number;
  /** Whatever the rules. */
  open: number;
}

/**
 * Judges random packets in random clusters, and by the text of the API.
 *
 * @param judgeIn makes the judge of one cluster
 * @throws with seed, cluster and packet when both disagree, or the judge throws
 */
export function expectAgreement(judgeIn: (world: RawWorld) => Judge, search: Search): Tally {
  const tally: Tally = { allowed: 0, denied: 0, open: 0 };
  const { worlds, packetsOfEach, seed, isShrunk = true } = search;
  const packets = fc.array(arbitraryPacket, { minLength: 1, maxLength: packetsOfEach, size: "max" });
  fc.assert(
    fc.property(arbitraryWorld, packets, (world, drafts) => {
      const [judge, closed] = [judgeIn(world), withoutRules(world)];
      for (const packet of drafts.flatMap((draft) => packetIn(world, draft) ?? [])) {
        const expected = isAllowed(world, packet);
        tally[isAllowed(closed, packet) ? "open" : expected ? "allowed" : "denied"]++;
        if (judge(packet) !== expected) {
          throw new Error(`The API ${expected ? "allows" : "denies"} what the other does not: ${show(packet)}`);
        }
      }
    }),
    { numRuns: worlds, endOnFailure: !isShrunk, ...(seed !== undefined && { seed }) },
  );
  return tally;
}

function show(packet: Packet): string {
  return JSON.stringify(packet, null, 1);
}
