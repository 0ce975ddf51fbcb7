import { parsePrefix, type Prefix } from "../ip/address.ts";
import type { BirdReply } from "./bird_reply.ts";

/** One route of BIRD's. */
export interface BirdRoute {
  readonly prefix: Prefix;
  /** What it has it from: `hosts4`, `peer4_c0000201`. */
  readonly protocol: string;
  /** Whether it is the one that BIRD goes by, among those to the same prefix. */
  readonly best: boolean;
}

/**
 * `192.0.2.0/24  unicast [peer4_c0000201 22:13:14.729] * (100) [AS65000i]`; of a further route the prefix is left out.
 * What birdc prints is indented by more than what the socket says.
 */
const ROUTE = /^\s*([0-9a-f.:]+\/\d+)?\s+\w+ \[(\S+) [^\]]*\](?: (\*))?/;

/** Reads the answer to `show route` in any of its forms; lines with attributes are passed over. */
export function parseRoutes(reply: BirdReply): BirdRoute[] {
  const routes: BirdRoute[] = [];
  for (const { text } of reply.lines) {
    const [match, prefixText, protocol, mark] = ROUTE.exec(text) ?? [];
    if (match === undefined || protocol === undefined) continue;
    const prefix = prefixText === undefined ? routes.at(-1)?.prefix : parsePrefix(prefixText);
    if (prefix !== undefined) routes.push({ prefix, protocol, best: mark === "*" });
  }
  return routes;
}
