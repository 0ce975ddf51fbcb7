/** What is measured inside a node, as the node's runtime or agent would do it. One run of a contender undoes what it did. */
import { IP } from "../../src/paths/paths.ts";
import {
  type Call,
  callAgent,
  callOf,
  callPlugin,
  callPtp,
  callVersion,
  keepPod,
  runAdd,
  runDel,
} from "./_cni_calls.ts";
import { createBirdReloader, createDiskWriter, createStateWriter } from "./_driver_calls.ts";
import { runTimed } from "./_spawn.ts";
import { renderHostEnd, renderPodEnd } from "./bare_links.ts";
import { createBursts } from "./bursts.ts";

/** name of what was measured -> milliseconds, unless the name's figure has another unit */
export type Samples = Readonly<Record<string, number>>;

/** The Pod that an ADD is for; it is in the API server. */
export interface BenchPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Executables, by absolute paths. */
export interface Executables {
  readonly flock: string;
  readonly empty: string;
}

export type Contender = (pod: BenchPod) => Promise<Samples>;

const NAMESPACES = ["bench-plugin", "bench-rpc", "bench-floor", "bench-bare", "bench-ptp"] as const;

/** @returns the contenders by name; made inside a node, before its agent need run */
export async function createContenders(executables: Executables): Promise<ReadonlyMap<string, Contender>> {
  const { flock, empty } = executables;
  for (const name of NAMESPACES) await makeNetns(name);
  const [plugin, rpc, floor, bare, ptp] = NAMESPACES;
  const [writeState, writeDisk, reloadBird] = [await createStateWriter(), createDiskWriter(), createBirdReloader()];
  return new Map<string, Contender>([
    ["empty", async () => ({ empty: (await runTimed([empty])).ms })],
    ["version", async () => ({ version: await callVersion(flock) })],
    ["plugin", (pod) => callPlugin(flock, { netns: plugin, pod })],
    ["stay", async (pod) => ({ stay: await keepPod(flock, { netns: await makeNetns(`bench-${pod.name}`), pod }) })],
    ...createVisit(flock, await makeNetns("bench-visit")),
    ["rpc", (pod) => callAgent({ netns: rpc, pod })],
    ["floor", async () => ({ floor: (await runTimed([empty])).ms + await linkBarely(floor) })],
    ["bare", async () => ({ ip: await linkBarely(bare) })],
    ["ptp4", async () => ({ ptp4: await callPtp(ptp, [4]) })],
    ["ptp46", async () => ({ ptp46: await callPtp(ptp, [4, 6]) })],
    ["state", async () => ({ "state-write": await writeState() })],
    ["disk", async () => ({ "disk-writes": await writeDisk() })],
    ["scrape", scrape],
    ["bird", async () => ({ "bird-reload": await reloadBird() })],
    ...await createBursts(executables),
  ]);
}

/** ADD and DEL apart, for who times the one only. */
function createVisit(flock: string, netns: string): [string, Contender][] {
  let call: Call | undefined;
  return [
    ["visit", async (pod) => ({ visit: (await runAdd(flock, call = callOf({ netns, pod }))).ms })],
    ["leave", async () => call === undefined ? {} : { leave: await runDel(flock, call) }],
  ];
}

async function makeNetns(name: string): Promise<string> {
  await runTimed([IP, "netns", "add", name]);
  return name;
}

/** As Prometheus asks, with a connection of its own. */
async function scrape(): Promise<Samples> {
  const start = performance.now();
  const answer = await fetch("http://127.0.0.1:9469/metrics", { headers: { Connection: "close" } });
  const text = await answer.text();
  if (!text.includes("flock_build_info")) throw new Error(`Cannot scrape: ${answer.status} ${text.slice(0, 200)}`);
  return { scrape: performance.now() - start };
}

/** One batch for each namespace, one after the other. */
async function linkBarely(netns: string): Promise<number> {
  const link = { hostLink: netns, netns, ipv6: "2001:db8:be::1", ipv4: "198.19.255.1", mtu: 9000 };
  const host = await runTimed([IP, "-batch", "-"], { stdin: renderHostEnd(link) });
  const pod = await runTimed([IP, "-n", netns, "-batch", "-"], { stdin: renderPodEnd(link) });
  await runTimed([IP, "link", "del", netns]);
  return host.ms + pod.ms;
}
