import { assertEquals } from "@std/assert";
import type { BirdConfig } from "./bird_config.ts";
import { limitAnnounced } from "./limit_announced.ts";
import { DUAL_STACK, prefix } from "./testdata/cases.ts";

const [ONE, TWO, SIX] = ["198.18.0.1/32", "198.18.0.2/32", "2001:db8:a::1/128"] as const;
const OWN = "198.18.0.9/32";

function model(hostRoutes: readonly string[], anycastRoutes: readonly string[]): BirdConfig {
  return { ...DUAL_STACK, hostRoutes: hostRoutes.map(prefix), anycastRoutes: anycastRoutes.map(prefix) };
}

function limited(config: BirdConfig, max: number | undefined, ...announced: string[]): unknown[] {
  const { config: { hostRoutes, anycastRoutes, ...rest }, left } = limitAnnounced(config, {
    max,
    announced: new Set(announced),
  });
  const { hostRoutes: _, anycastRoutes: __, ...before } = config;
  assertEquals(rest, before);
  return [hostRoutes.map(({ text }) => text), anycastRoutes.map(({ text }) => text), left];
}

Deno.test("limitAnnounced() leaves alone what is within the limit, each prefix counted once", () => {
  for (const max of [undefined, 3, 100]) {
    assertEquals(limited(model([OWN], [TWO, ONE, TWO]), max), [[OWN], [TWO, ONE, TWO], 0]);
  }
});

Deno.test("limitAnnounced() keeps what routers know, then lets in pods' own addresses, then anycast ones in their order", () => {
  const config = model([OWN], [SIX, TWO, ONE]);
  assertEquals(limited(config, 2), [[OWN], [ONE], 2]);
  assertEquals(limited(config, 2, SIX, TWO), [[], [SIX, TWO], 2]);
  assertEquals(limited(config, 3, SIX), [[OWN], [SIX, ONE], 1]);
  assertEquals(limited(config, 0), [[], [], 4]);
});

Deno.test("limitAnnounced() leaves the aggregates alone", () => {
  assertEquals(
    limitAnnounced(model([], [ONE]), { max: 0, announced: new Set() }).config.aggregates,
    DUAL_STACK.aggregates,
  );
});
