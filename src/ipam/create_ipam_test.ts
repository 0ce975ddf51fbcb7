import { assert, assertEquals, assertLess, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { contains } from "../ip/address.ts";
import { address, drain, give, prefix, range, seededRandom, setUp, want } from "./_ipam_fixture.ts";
import { RANDOM_TRIES, REST_MS } from "./create_ipam.ts";
import { identityRange } from "./identity_range.ts";
import { PoolExhausted } from "./ipam.ts";

Deno.test("allocate() gives IPv4 addresses in order, never network, gateway or broadcast (I8)", () => {
  const { ipam } = setUp();
  const given = drain(ipam, want(range("203.0.113.0/29"))).map(({ text }) => text);
  assertEquals(given, ["203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5", "203.0.113.6"]);
});

Deno.test("allocate() gives exactly one address of a /30", () => {
  const { ipam } = setUp();
  assertEquals(drain(ipam, want(range("203.0.113.4/30"))).map(({ text }) => text), ["203.0.113.6"]);
});

Deno.test("allocate() gives nothing of a sub-range that holds only reserved addresses", () => {
  for (const part of ["203.0.113.0/32", "203.0.113.1/32", "203.0.113.255/32", "203.0.113.0/31"]) {
    const { ipam } = setUp();
    assertEquals(drain(ipam, want(range("203.0.113.0/24", part))), [], part);
  }
});

Deno.test("allocate() keeps to a sub-range of one address", () => {
  const { ipam } = setUp();
  const request = want(range("203.0.113.0/24", "203.0.113.77/32"));
  assertEquals(drain(ipam, request).map(({ text }) => text), ["203.0.113.77"]);
  const request6 = want(range("2001:db8::/64", "2001:db8::77/128"));
  assertEquals(drain(ipam, request6).map(({ text }) => text), ["2001:db8::77"]);
});

Deno.test("allocate() starts after the cursor and wraps inside the sub-range", () => {
  const { ipam } = setUp();
  ipam.setCursor("203.0.113.0/24", address("203.0.113.130"));
  const request = want(range("203.0.113.0/24", "203.0.113.128/30"));
  assertEquals(drain(ipam, request).map(({ text }) => text.split(".")[3]), ["131", "128", "129", "130"]);
});

Deno.test("allocate() enters a sub-range at its start when the cursor is elsewhere", () => {
  for (const cursor of ["203.0.113.9", "203.0.113.200"]) {
    const { ipam } = setUp();
    ipam.setCursor("203.0.113.0/24", address(cursor));
    assertEquals(give(ipam, want(range("203.0.113.0/24", "203.0.113.64/26"))).text, "203.0.113.64");
  }
});

Deno.test("cursors() remembers the last IPv4 address of each node CIDR across a restart", () => {
  const before = setUp().ipam;
  give(before, want(range("203.0.113.0/24")));
  give(before, want(range("198.51.100.0/24")));
  const after = setUp().ipam;
  for (const [nodeCidr, last] of before.cursors()) after.setCursor(nodeCidr, address(last));
  assertEquals(give(after, want(range("203.0.113.0/24"))).text, "203.0.113.3");
  assertEquals(give(after, want(range("198.51.100.0/24"))).text, "198.51.100.3");
});

Deno.test("allocate() tries ranges in order", () => {
  const { ipam } = setUp();
  const request = want(range("203.0.113.0/30"), range("198.51.100.0/30"));
  assertEquals(drain(ipam, request).map(({ text }) => text), ["203.0.113.2", "198.51.100.2"]);
});

Deno.test("a freed address rests for 30 s although the cursor comes by (I9, T-REL-18)", () => {
  const { ipam, clock } = setUp();
  const request = want(range("203.0.113.0/29"));
  const [first] = drain(ipam, request).slice(0, 1);
  assert(first !== undefined);
  const [, second] = ["203.0.113.2", "203.0.113.3"].map(address);
  assert(second !== undefined);
  ipam.release(first);
  clock.pass(REST_MS - 1);
  ipam.release(second);
  clock.pass(1);
  assertEquals(give(ipam, request).text, first.text);
  assertEquals(ipam.resting().map((rest) => rest.address), [second.text]);
});

Deno.test("the longest-free address goes first when nothing else is left (I9)", () => {
  const { ipam, clock } = setUp();
  const request = want(range("203.0.113.0/29"));
  const given = drain(ipam, request);
  for (const index of [3, 0, 4]) {
    ipam.release(given[index] ?? address("0.0.0.0"));
    clock.pass(1_000);
  }
  assertEquals([give(ipam, request), give(ipam, request)].map(({ text }) => text), ["203.0.113.5", "203.0.113.2"]);
});

Deno.test("a resting address of another range does not end its rest early", () => {
  const { ipam } = setUp();
  ipam.release(address("203.0.113.9"));
  assertThrows(() => ipam.allocate([want(range("203.0.113.0/24", "203.0.113.0/31"))]), PoolExhausted);
  assertEquals(ipam.resting().length, 1);
});

Deno.test("a rest taken back from disk goes on where it was (T-REL-03)", () => {
  const { ipam, clock } = setUp();
  const freedAt = clock.wall() - 20_000;
  ipam.release(address("203.0.113.2"), freedAt);
  assertEquals(ipam.resting(), [{ address: "203.0.113.2", freedAt }]);
  assertEquals(give(ipam, want(range("203.0.113.0/29"))).text, "203.0.113.3");
  clock.pass(10_000);
  assertEquals(ipam.resting(), []);
});

Deno.test("a rest that is over when taken back from disk is none", () => {
  const { ipam, clock } = setUp();
  ipam.release(address("203.0.113.2"), clock.wall() - REST_MS);
  assertEquals(ipam.resting(), []);
});

Deno.test("a release dated in the future or years ago counts as now: the wall clock was wrong", () => {
  for (const off of [+3_600_000, -10 * 365 * 86_400_000]) {
    const { ipam, clock } = setUp();
    ipam.release(address("203.0.113.2"), clock.wall() + off);
    clock.pass(REST_MS - 1);
    assertEquals(ipam.resting().length, 1);
    clock.pass(1);
    assertEquals(ipam.resting().length, 0);
  }
});

Deno.test("a jump of the wall clock neither ends nor prolongs a rest", () => {
  const { ipam, clock } = setUp();
  ipam.release(address("203.0.113.2"));
  clock.setWall(clock.wall() + 10 * 365 * 86_400_000);
  assertEquals(ipam.resting().length, 1);
  clock.setWall(0);
  clock.pass(REST_MS);
  assertEquals(ipam.resting().length, 0);
});

Deno.test("release() twice does not start the rest anew", () => {
  const { ipam, clock } = setUp();
  ipam.release(address("203.0.113.2"));
  clock.pass(20_000);
  ipam.release(address("203.0.113.2"));
  clock.pass(10_000);
  assertEquals(ipam.resting(), []);
});

Deno.test("undo() leaves no rest behind", () => {
  const { ipam } = setUp();
  const request = want(range("203.0.113.0/30"));
  ipam.undo(give(ipam, request));
  assertEquals(ipam.resting(), []);
  assertEquals(give(ipam, request).text, "203.0.113.2");
});

Deno.test("undo() of an address that was taken out of its rest lets the rest go on", () => {
  const { ipam, clock } = setUp();
  const request = want(range("203.0.113.0/30"));
  const freed = give(ipam, request);
  ipam.release(freed);
  clock.pass(10_000);
  ipam.undo(give(ipam, request));
  assertEquals(ipam.resting().length, 1);
  clock.pass(20_000);
  assertEquals(ipam.resting().length, 0);
});

Deno.test("undo() and release() of a free address are fine", () => {
  const { ipam } = setUp();
  ipam.undo(address("203.0.113.2"));
  ipam.release(address("203.0.113.2"));
  ipam.undo(address("203.0.113.2"));
  assertEquals(ipam.resting().length, 1);
});

Deno.test("take() refuses what is in use, and takes what rests", () => {
  const { ipam } = setUp();
  const taken = address("203.0.113.2");
  ipam.release(taken);
  assert(ipam.take(taken));
  assert(!ipam.take(taken));
  assertEquals(ipam.resting(), []);
  assertEquals(give(ipam, want(range("203.0.113.0/29"))).text, "203.0.113.3");
});

Deno.test("allocate() takes nothing when one family has nothing left (I10)", () => {
  const { ipam } = setUp();
  const [six, four] = [range("2001:db8::/64"), range("203.0.113.0/30")];
  give(ipam, want(four));
  const cursors = ipam.cursors();
  assertThrows(() => ipam.allocate([want(six), want(four)]), PoolExhausted);
  assertThrows(() => ipam.allocate([want(four), want(six)]), PoolExhausted);
  assertEquals(ipam.usage(six.nodeCidr).used, 0);
  assertEquals(ipam.cursors(), cursors);
  assertEquals(ipam.resting(), []);
});

Deno.test("allocate() works again after one release (I11)", () => {
  const { ipam } = setUp();
  const request = want(range("203.0.113.0/29"));
  const given = drain(ipam, request);
  ipam.release(given[2] ?? address("0.0.0.0"));
  assertEquals(give(ipam, request).text, given[2]?.text);
  assertThrows(() => ipam.allocate([request]), PoolExhausted);
});

Deno.test("PoolExhausted names each range and its sizes (I11)", () => {
  const { ipam } = setUp();
  const request = want(range("203.0.113.0/29"), range("198.51.100.0/24", "198.51.100.64/31"));
  drain(ipam, request);
  assertThrows(
    () => ipam.allocate([request]),
    PoolExhausted,
    "Cannot allocate an IPv4 address: none free in 203.0.113.0/29 (5 usable, 5 in use, 0 resting), " +
      "198.51.100.64/31 (2 usable, 2 in use, 0 resting)",
  );
});

Deno.test("usage() counts in use and usable addresses", () => {
  const { ipam } = setUp();
  ipam.allocate([want(range("2001:db8::/64")), want(range("203.0.113.0/24"))]);
  ipam.take(address("198.51.100.7"));
  assertEquals(ipam.usage(prefix("203.0.113.0/24")), { used: 1, usable: 253n });
  assertEquals(ipam.usage(prefix("2001:db8::/64")), { used: 1, usable: (1n << 64n) - 1n });
  assertEquals(ipam.usage(prefix("203.0.113.0/31")), { used: 0, usable: 0n });
});

Deno.test("IPv6: allocate() gives all of a small range but the all-zeros host of the node CIDR", () => {
  const { ipam } = setUp();
  const given = drain(ipam, want(range("2001:db8::/124")));
  assertEquals(new Set(given.map(({ text }) => text)).size, 15);
  assert(!given.some(({ text }) => text === "2001:db8::"));
  const part = drain(setUp().ipam, want(range("2001:db8::/64", "2001:db8::10/124")));
  assertEquals(part.length, 16);
});

Deno.test("IPv6: a small range is searched from a random start, not asked again and again", () => {
  let draws = 0;
  const { ipam } = setUp((bits) => (draws++, BigInt.asUintN(bits, 7n)));
  const given = [1, 2, 3].map(() => give(ipam, want(range("2001:db8::/112"))).text);
  assertEquals(given, ["2001:db8::7", "2001:db8::8", "2001:db8::9"]);
  assertEquals(draws, 3);
});

Deno.test("IPv6: a large range is tried 16 times and then searched", () => {
  let draws = 0;
  const { ipam } = setUp((bits) => (draws++, BigInt.asUintN(bits, 7n)));
  const request = want(range("2001:db8::/64"));
  assertEquals(give(ipam, request).text, "2001:db8::7");
  assertEquals(draws, 1);
  assertEquals(give(ipam, request).text, "2001:db8::8");
  assertEquals(draws, 1 + RANDOM_TRIES + 1);
});

Deno.test("IPv6: a random address that rests is passed over (I9)", () => {
  const { ipam } = setUp((bits) => BigInt.asUintN(bits, 7n));
  const request = want(range("2001:db8::/64"));
  ipam.release(give(ipam, request));
  assertEquals(give(ipam, request).text, "2001:db8::8");
});

Deno.test("IPv6: a source that only ever says zero never yields the all-zeros host", () => {
  for (const cidr of ["2001:db8::/64", "2001:db8::/120"]) {
    const { ipam } = setUp(() => 0n);
    assertEquals(give(ipam, want(range(cidr))).text, "2001:db8::1");
  }
});

Deno.test("ip-algo: the address lies in the identity's part of the range", () => {
  const { ipam } = setUp();
  const request = { ...want(range("2001:db8:f001::/64")), identity: ["default", "web-0"] };
  const narrowed = identityRange(prefix("2001:db8:f001::/64"), request.identity);
  const grants = Array.from({ length: 50 }, () => ipam.allocate([request]));
  for (const { ipv6, warnings } of grants) {
    assert(narrowed !== undefined && ipv6 !== undefined && contains(narrowed, ipv6));
    assertEquals(warnings, []);
  }
  assertEquals(new Set(grants.map(({ ipv6 }) => ipv6?.text)).size, 50);
});

Deno.test("ip-algo: when its part is full, all host bits are random, with a warning", () => {
  const { ipam } = setUp();
  const request = { ...want(range("2001:db8::/120")), identity: ["web-0"] };
  const narrowed = identityRange(prefix("2001:db8::/120"), request.identity);
  const grants = Array.from({ length: 17 }, () => ipam.allocate([request]));
  const last = grants[16];
  assert(narrowed !== undefined && last?.ipv6 !== undefined && !contains(narrowed, last.ipv6));
  assertEquals(grants.slice(0, 16).flatMap(({ warnings }) => warnings), []);
  assertMatch(last.warnings[0] ?? "", /^Cannot put ip-algo's identity into 2001:db8::\/120: no free value is left/);
});

Deno.test("ip-algo: in a range that is too small all host bits are random, with a warning", () => {
  const { ipam } = setUp();
  const { ipv6, warnings } = ipam.allocate([{ ...want(range("2001:db8::/124")), identity: ["web-0"] }]);
  assert(ipv6 !== undefined);
  assertMatch(warnings[0] ?? "", /2001:db8::\/124: the range is too small/);
});

Deno.test("allocate() repeats itself with the same random source", () => {
  const request = [want(range("2001:db8::/64")), want(range("203.0.113.0/24"))];
  const run = (seed: number): string[] => {
    const { ipam } = setUp(seededRandom(seed));
    return Array.from({ length: 20 }, () => ipam.allocate(request).ipv6?.text ?? "");
  };
  assertEquals(run(3), run(3));
  assertNotEquals(run(3), run(4));
});

Deno.test("allocate() stays fast in a /16 that is nearly full", () => {
  const { ipam } = setUp();
  const request = want(range("10.0.0.0/16"));
  const given = drain(ipam, request);
  assertEquals(given.length, 65_536 - 3);
  const start = performance.now();
  for (let i = 0; i < 1_000; i++) {
    const freed = given[(i * 7919) % given.length];
    assert(freed !== undefined);
    ipam.release(freed);
    assertEquals(give(ipam, request).text, freed.text);
  }
  assertLess((performance.now() - start) / 1_000, 1);
});
