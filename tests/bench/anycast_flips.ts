/** From a flip of Ready to the router: one pod at a time, and all of a node at once. */
import { BIRD_CONFIG } from "../../src/paths/paths.ts";
import { alone, countReloads, runServicePod, type ServicePod } from "../e2e/_service_pod.ts";
import type { Heard } from "../lab/bgp_wire.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import type { RouteEvent } from "../lab/route_watch.ts";
import { ROUTER } from "../lab/topology.ts";
import { pause } from "../lab/until.ts";
import { type AnycastLab, reloadByHand, renderByHand } from "./anycast_lab.ts";
import { letOut } from "./let_out.ts";
import type { SampleBook } from "./statistics.ts";

const CROWD = 100;
/** Entries that one annotation may have, and some. */
const PER_POD = 50;
const FLIPPING = 8;
const ROUNDS = 100;
/** FRR takes its time, and the agent tells the API server. */
const GAP_MS = 120;
/** Kubelet's default for a node. */
const ALL = 110;
const BURSTS = 6;
const BURST_MS = 1_500;
const AT_ONCE = 10;
const CLEAR_MS = 5_000;

/** Something was told to come or to go. */
interface Flip {
  /** In milliseconds since the epoch. */
  readonly at: number;
  readonly prefix: string;
  readonly appears: boolean;
}

/** Flock's flips and the floor's, in turns. Adds `flip`, `birdc`, and what came of each in the kernels of both routers. */
export async function measureFlips(scene: AnycastLab, book: SampleBook): Promise<void> {
  const { lab, nodes: [node], byHand } = scene;
  await startCrowd(lab, node);
  const pods = await runPods(lab, node, { count: FLIPPING, name: "flip", address: (n) => `2001:db8:a:2::${hex(n)}` });
  const theirs = Array.from({ length: CROWD }, (_, n) => alone(`2001:db8:a:4::${hex(n)}`));
  const single = alone("2001:db8:a:5::1");
  const [without, with_] = [theirs, [...theirs, single]].map((routes) => renderByHand(byHand, routes));
  await byHand.write(BIRD_CONFIG, without ?? "");
  await byHand.startBird();
  await lab.router.waitForRoute(theirs[0] ?? "");
  await Promise.all(pods.slice(FLIPPING / 2).map((pod) => pod.setReady(true)));
  await pause(CLEAR_MS);
  const [flips, floor]: [Flip[], Flip[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    for (const appears of [true, false]) {
      const index = (round + (appears ? 0 : FLIPPING / 2)) % FLIPPING;
      const prefix = alone(`2001:db8:a:2::${hex(index)}`);
      flips.push({ at: await letOut(lab, () => pods[index]?.setReady(appears)), prefix, appears });
      await pause(GAP_MS);
      floor.push({ at: await reloadByHand(scene, (appears ? with_ : without) ?? ""), prefix: single, appears });
      await pause(GAP_MS);
    }
  }
  await pause(GAP_MS);
  await tell(scene, { flips, book, names: { wire: "flip", frr: "flip-frr", bird: "flip-bird" } });
  await tell(scene, { flips: floor, book, names: { wire: "birdc", frr: "birdc-frr", bird: "birdc-bird" } });
  await Promise.all(pods.map((pod) => pod.remove()));
}

/** Adds `flips`, `flips-reloads` and `flips-resets`. */
export async function measureFlipsAtOnce({ lab, nodes: [node], wire }: AnycastLab, book: SampleBook): Promise<void> {
  const pods = await runPods(lab, node, { count: ALL, name: "all", address: (n) => `2001:db8:a:3::${hex(n)}` });
  const prefixes = new Set(pods.map((_, n) => alone(`2001:db8:a:3::${hex(n)}`)));
  for (let burst = 0; burst < BURSTS; burst++) {
    const ready = burst % 2 === 0;
    await pause(BURST_MS);
    const reloads = await countReloads(node);
    const at = await letOut(lab, () => Promise.all(pods.map((pod) => pod.setReady(ready))));
    await pause(BURST_MS);
    const heard = (await wire.heard()).filter((message) => message.at > at);
    const last = lastOf(heard, { prefixes, appears: ready });
    book.add("flips", last - at);
    book.add("flips-reloads", await countReloads(node) - reloads);
    book.add("flips-resets", heard.filter(({ type }) => type === "OPEN" || type === "NOTIFICATION").length);
  }
  await Promise.all(pods.map((pod) => pod.remove()));
}

/** @returns when the last of them was told. @throws when one never was */
function lastOf(
  heard: readonly Heard[],
  { prefixes, appears }: { readonly prefixes: ReadonlySet<string>; readonly appears: boolean },
): number {
  const told = toFrr(heard).flatMap((message) =>
    (appears ? message.announced : message.withdrawn).map((prefix) => ({ prefix, at: message.at }))
  ).filter(({ prefix }) => prefixes.has(prefix));
  const missing = prefixes.size - new Set(told.map(({ prefix }) => prefix)).size;
  if (missing > 0) throw new Error(`Cannot count a burst: ${missing} of ${prefixes.size} flips were never told`);
  return Math.max(...told.map(({ at }) => at));
}

async function startCrowd(lab: Lab, node: LabNode): Promise<void> {
  for (let first = 0; first < CROWD; first += PER_POD) {
    const anycast = Array.from({ length: PER_POD }, (_, n) => `2001:db8:a:1::${hex(first + n)}`);
    await runServicePod(lab, node, { name: `crowd-${first}`, anycast, ready: true });
    await Promise.all(anycast.map((address) => lab.router.waitForRoute(alone(address))));
  }
}

/** A few at a time, none Ready. */
async function runPods(
  lab: Lab,
  node: LabNode,
  { count, name, address }: {
    readonly count: number;
    readonly name: string;
    readonly address: (index: number) => string;
  },
): Promise<ServicePod[]> {
  const pods: ServicePod[] = [];
  for (let first = 0; first < count; first += AT_ONCE) {
    const indices = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, n) => first + n);
    pods.push(
      ...await Promise.all(
        indices.map((index) => runServicePod(lab, node, { name: `${name}-${index}`, anycast: [address(index)] })),
      ),
    );
  }
  return pods;
}

/** Adds how long after each flip it was on the wire and in the routers' kernels. @throws when one never was */
async function tell(
  { wire, frr, bird }: AnycastLab,
  { flips, book, names }: {
    readonly flips: readonly Flip[];
    readonly book: SampleBook;
    readonly names: Record<"wire" | "frr" | "bird", string>;
  },
): Promise<void> {
  const heard = toFrr(await wire.heard());
  const kernels = { frr: await frr.events(), bird: await bird.events() };
  for (const flip of flips) {
    const told = heard.find(({ at, announced, withdrawn }) =>
      at > flip.at && (flip.appears ? announced : withdrawn).includes(flip.prefix)
    );
    book.add(names.wire, momentOf(told, flip) - flip.at);
    for (const router of ["frr", "bird"] as const) {
      book.add(names[router], momentOf(kernels[router].find((event) => isOf(event, flip)), flip) - flip.at);
    }
  }
}

function toFrr(heard: readonly Heard[]): Heard[] {
  return heard.filter(({ to }) => to === ROUTER[6]);
}

function isOf(event: RouteEvent, { at, prefix, appears }: Flip): boolean {
  return event.at > at && event.prefix === prefix && event.deleted !== appears;
}

function momentOf(found: { readonly at: number } | undefined, { prefix, appears }: Flip): number {
  if (found === undefined) throw new Error(`Cannot count a flip: ${prefix} never ${appears ? "came" : "went"}`);
  return found.at;
}

function hex(n: number): string {
  return (n + 1).toString(16);
}
