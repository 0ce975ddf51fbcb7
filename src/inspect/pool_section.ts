import type { PoolSnapshot } from "../snapshot/agent_snapshot.ts";
import { bad } from "./cells.ts";
import type { Section } from "./report.ts";

/** Numbers as long as this are told as powers of two: an IPv6 pool's. */
const LONG_DIGITS = 7;

/** @param pools whose `usable` is empty where nobody has counted */
export function poolSection(pools: readonly PoolSnapshot[]): Section {
  return {
    title: "pools",
    columns: [{ title: "cidr" }, { title: "used" }, { title: "resting" }, { title: "usable" }, { title: "" }],
    rows: pools.map(({ cidr, used, resting, usable }) => [
      ...[cidr, `${used}`, `${resting}`, shorten(usable)],
      usable !== "" && BigInt(used) >= BigInt(usable) ? bad("full") : "",
    ]),
  };
}

function shorten(decimal: string): string {
  return decimal.length < LONG_DIGITS ? decimal : `~2^${BigInt(decimal).toString(2).length}`;
}
