import { compareIp, type Prefix } from "../ip/address.ts";
import type { BirdConfig } from "./bird_config.ts";

export interface Announceable {
  /** How many single addresses may be announced; absent: any number. */
  readonly max?: number | undefined;
  /** Texts of prefixes that routers know already: they go first, so that a runaway takes nobody's place. */
  readonly announced: ReadonlySet<string>;
}

/**
 * A wall against a runaway. The aggregates stand before it; of the others those stay that routers know, then pods' own addresses are let
 * in, then anycast ones, each by their order.
 *
 * @returns the configuration with what is let in, and how many single addresses are left out
 */
export function limitAnnounced(
  config: BirdConfig,
  { max = Infinity, announced }: Announceable,
): { config: BirdConfig; left: number } {
  const { hostRoutes, anycastRoutes } = config;
  const all = new Map([...hostRoutes, ...anycastRoutes].map((prefix) => [prefix.text, prefix]));
  if (all.size <= max) return { config, left: 0 };
  const own = new Set(hostRoutes.map(({ text }) => text));
  const rank = ({ text }: Prefix): number => announced.has(text) ? 0 : own.has(text) ? 1 : 2;
  const ordered = [...all.values()].sort((a, b) => rank(a) - rank(b) || compareIp(a, b));
  const admitted = new Set(ordered.slice(0, max).map(({ text }) => text));
  const isAdmitted = ({ text }: Prefix): boolean => admitted.has(text);
  return {
    config: {
      ...config,
      hostRoutes: hostRoutes.filter(isAdmitted),
      anycastRoutes: anycastRoutes.filter(isAdmitted),
    },
    left: all.size - admitted.size,
  };
}
