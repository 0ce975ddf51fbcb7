/** What `flock inspect summary` costs: against an empty module and the calls that it makes, with few pods and with many. */
import { visit } from "../../src/inspect/_inspect_fixture.ts";
import type { Screen } from "../demo/screen.ts";
import { startCluster } from "../e2e/_cluster.ts";
import { addSandbox } from "../e2e/_sandbox.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { onInterrupt } from "../lab/on_interrupt.ts";
import { until } from "../lab/until.ts";
import { buildEmptyModule } from "./empty_module.ts";
import type { FigureSpec } from "./figures.ts";
import type { SampleBook } from "./statistics.ts";

const WORKER = new URL("inspect_worker.ts", import.meta.url).pathname;
const FEW_PODS = 10;
const MANY_PODS = 250;
/** Sandboxes that are made at once. */
const AT_ONCE = 10;
const ROUNDS = 21;
/** The first is what the router is waited for with, the second has room. */
const CIDRS4 = ["203.0.113.0/26", "198.18.0.0/22"];

export const INSPECT_FIGURES: readonly FigureSpec[] = [
  {
    ...{ id: "inspect", what: "inspect summary, 10 pods, against an empty module and its ip, nft and birdc calls" },
    ...{ floor: "inspect-floor", times: 1.5 },
  },
  { id: "inspect-250", what: "inspect summary with 250 pods, against 10", floor: "inspect", times: 2 },
];

interface Bench {
  readonly book: SampleBook;
  readonly screen: Screen;
}

/** @param flock the executable */
export async function measureInspect(flock: string, { book, screen }: Bench): Promise<void> {
  const lab = await screen.step(
    "a node for inspect",
    () => startCluster({ nodes: 1, api: "embedded", containerd: false, flock, spec: { cidr4: CIDRS4 } }),
  );
  const directory = await Deno.makeTempDir({ prefix: "flock-bench-inspect-" });
  const close = async (): Promise<void> => {
    await lab[Symbol.asyncDispose]();
    await Deno.remove(directory, { recursive: true });
  };
  const interrupted = onInterrupt(close);
  try {
    const empty = await buildEmptyModule(directory);
    await screen.step("inspect with 10 pods", () => measureWith(FEW_PODS, { lab, flock, empty, book }));
    await screen.step("inspect with 250 pods", () => measureWith(MANY_PODS, { lab, flock, empty, book }));
  } finally {
    interrupted[Symbol.dispose]();
    await close();
  }
}

async function measureWith(
  pods: number,
  { lab, flock, empty, book }: { lab: Lab; flock: string; empty: string; book: SampleBook },
): Promise<void> {
  const node = lab.node("node-a");
  await fill(node, pods);
  await until("all is well", async () => (await node.exec([flock, "inspect"])).code === 0);
  const suffix = pods === FEW_PODS ? "" : `-${pods}`;
  const calls = (await visit("summary")).argvs.map((argv, index) => [`call${index}`, argv.split(" ")] as const);
  const argvs = { inspect: [flock, "inspect"], empty: [empty], ...Object.fromEntries(calls) };
  const words = [Deno.execPath(), "run", "-A", "--no-check", "--quiet", WORKER, `${ROUNDS}`, JSON.stringify(argvs)];
  const samples: Record<string, number[]> = JSON.parse(await node.output(words, { timeoutMs: 300_000 }));
  for (const ms of samples["inspect"] ?? []) book.add(`inspect${suffix}`, ms);
  const parts = ["empty", ...calls.map(([name]) => name)];
  for (let round = 0; round < ROUNDS; round++) {
    book.add(`inspect-floor${suffix}`, parts.reduce((sum, name) => sum + (samples[name]?.[round] ?? 0), 0));
  }
}

async function fill(node: LabNode, pods: number): Promise<void> {
  const links = await node.output(["sh", "-c", "ip -br link | grep -c '^flock' || true"]);
  for (let made = Number(links); made < pods; made += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, pods - made) }, () => addSandbox(node)));
  }
}
