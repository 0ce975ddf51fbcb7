/** Who reaches whom, compared with a truth table: every pair that is asked for, at once. */
import type { Family } from "../../src/ip/address.ts";
import type { Answer, Flow, Mesh } from "../lab/mesh.ts";
import type { SocketProtocol } from "../lab/sockets.ts";
import { until } from "../lab/until.ts";

/** Somebody who asks and answers: a pod, a node, a client outside. Servers of the mesh call themselves by its key. */
export interface Host {
  readonly key: string;
  /** A path such as `/proc/PID/ns/net`. */
  readonly netns: string;
  /** By which it asks, and is asked. */
  readonly address: (family: Family) => string;
}

export interface ServedPort {
  readonly protocol: SocketProtocol;
  readonly port: number;
}

/** One entry of the matrix. */
export interface Pair<H extends Host> extends ServedPort {
  readonly from: H;
  readonly to: H;
  readonly family: Family;
}

/** A truth table: whether a pair may talk. */
export type Truth<H extends Host> = (pair: Pair<H>) => boolean;

/** @returns everybody to everybody, on each port, in both families */
export function pairsOf<H extends Host>(
  { from, to, ports }: {
    readonly from: readonly H[];
    readonly to: readonly H[];
    readonly ports: readonly ServedPort[];
  },
): Pair<H>[] {
  const sides = from.flatMap((from) => to.map((to) => ({ from, to })));
  return sides.flatMap((side) =>
    ports.flatMap(({ protocol, port }) => ([4, 6] as const).map((family) => ({ ...side, protocol, port, family })))
  );
}

/**
 * Waits until the network is as the table says, in every entry of one look. Who answers must be the one who was asked,
 * and must see the address of the one who asks.
 *
 * @throws with what differs, after `timeoutMs` (default 20 000)
 */
export async function expectTruth<H extends Host>(
  mesh: Mesh,
  { pairs, truth, timeoutMs = 20_000 }: {
    readonly pairs: readonly Pair<H>[];
    readonly truth: Truth<H>;
    readonly timeoutMs?: number;
  },
): Promise<void> {
  const [flows, expected] = [pairs.map(flowOf), pairs.map(truth)];
  await until("everybody reaches whom the truth table says", async () => {
    const answers = await mesh.probe(flows, (index) => expected[index] === true);
    const strange = pairs.filter((pair, i) => answers[i] && !(expected[i] && isBetween(pair, answers[i])));
    const silent = pairs.filter((_, i) => expected[i] && answers[i] === undefined);
    if (strange.length + silent.length === 0) return true;
    const [what, wrong] = strange.length > 0 ? ["answered", strange] : ["silent", silent]; // after a strange answer nobody waits for the others
    throw new Error(
      `${wrong.length} of ${pairs.length} should not be ${what}: ${wrong.slice(0, 8).map(describe).join("; ")}`,
    );
  }, { timeoutMs, everyMs: 50 });
}

function flowOf<H extends Host>({ from, to, protocol, port, family }: Pair<H>): Flow {
  return { netns: from.netns, source: from.address(family), protocol, to: to.address(family), port };
}

function isBetween<H extends Host>({ from, to, family }: Pair<H>, { by, source }: Answer): boolean {
  return by === to.key && source === from.address(family);
}

function describe<H extends Host>({ from, to, protocol, port, family }: Pair<H>): string {
  return `${from.key} -> ${to.key} ${protocol} ${port} IPv${family}`;
}
