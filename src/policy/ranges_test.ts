import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { addressOf, contains, prefixOf } from "../ip/address.ts";
import type { BlockPeer } from "./network_policy.ts";
import { mergePorts, rangesOfBlocks } from "./ranges.ts";

const BASE = 0x0a000000n;
const offsets = Array.from({ length: 64 }, (_, n) => BigInt(n));

const prefix = fc.record({ host: fc.bigInt(0n, 63n), length: fc.integer({ min: 26, max: 32 }) }).map((
  { host, length },
) => prefixOf(addressOf(4, BASE + host), length));

const block = fc.tuple(prefix, fc.array(prefix, { maxLength: 4 })).map(([cidr, except]): BlockPeer => ({
  kind: "block",
  cidr,
  except: except.filter((each) => contains(cidr, each)),
}));

Deno.test("rangesOfBlocks() holds exactly the addresses that a block holds and does not except, sorted, disjoint, not adjacent (NP-12, NP-13)", () => {
  fc.assert(
    fc.property(fc.array(block, { maxLength: 6 }), (blocks) => {
      const ranges = rangesOfBlocks(blocks, 4);
      for (const offset of offsets) {
        const address = addressOf(4, BASE + offset);
        const wanted = blocks.some(({ cidr, except }) =>
          contains(cidr, address) && !except.some((each) => contains(each, address))
        );
        const held = ranges.filter(({ first, last }) => first <= address.value && address.value <= last);
        assertEquals(held.length, wanted ? 1 : 0, address.text);
      }
      for (const [index, { first }] of ranges.entries()) {
        const before = ranges[index - 1];
        if (before !== undefined) assertEquals(first > before.last + 1n, true);
      }
      assertEquals(rangesOfBlocks(blocks, 6), []);
    }),
    { numRuns: 500 },
  );
});

Deno.test("rangesOfBlocks() knows the ends of both families", () => {
  const all = (family: 4 | 6): BlockPeer => ({ kind: "block", cidr: prefixOf(addressOf(family, 0n), 0), except: [] });
  assertEquals(rangesOfBlocks([all(4), all(6)], 4), [{ family: 4, first: 0n, last: 0xffffffffn }]);
  assertEquals(rangesOfBlocks([all(4), all(6)], 6), [{ family: 6, first: 0n, last: (1n << 128n) - 1n }]);
});

Deno.test("mergePorts() joins what overlaps or touches", () => {
  const ranges = [{ first: 90, last: 99 }, { first: 80, last: 89 }, { first: 85, last: 85 }, {
    first: 101,
    last: 65535,
  }];
  assertEquals(mergePorts(ranges), [{ first: 80, last: 99 }, { first: 101, last: 65535 }]);
  assertEquals(mergePorts([]), []);
});
