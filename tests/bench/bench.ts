/**
 * `deno task bench`: every figure that flock promises and the bare floors beside them, all in one run and in turns, so that whatever else
 * the machine does hits all alike. A table on the terminal and `dist/bench.json`; exit code 1 when a figure does not hold.
 * `deno task bench anycast` measures anycast alone, `deno task bench policies` NetworkPolicy, `deno task bench inspect` what
 * an operator's look costs, `deno task bench cluster` a real cluster.
 */
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { createScreen, type Screen } from "../demo/screen.ts";
import { createLab, type Lab } from "../lab/lab.ts";
import { onInterrupt } from "../lab/on_interrupt.ts";
import { ensurePackages, LAB_PACKAGES } from "../lab/packages.ts";
import { measureFlips, measureFlipsAtOnce } from "./anycast_flips.ts";
import { createAnycastLab } from "./anycast_lab.ts";
import { measureRestarts, measureShares } from "./anycast_traffic.ts";
import { type BenchNode, startBenchNode } from "./bench_node.ts";
import { residentMiB } from "./agent_process.ts";
import { measureCluster, missingForCluster } from "./cluster.ts";
import { CLUSTER_FIGURES } from "./cluster_figures.ts";
import { buildEmptyModule } from "./empty_module.ts";
import { ANYCAST_FIGURES, CALICO_ADD_MS, type Figure, FIGURES, type FigureSpec, resolveFigures } from "./figures.ts";
import { INSPECT_FIGURES, measureInspect } from "./inspect.ts";
import { measureBursts, measureIdle, measurePairs, measureStarts } from "./loads.ts";
import { measurePolicies } from "./policies.ts";
import { POLICY_FIGURES } from "./policy_figures.ts";
import { SampleBook, shuffled } from "./statistics.ts";
import { renderTable } from "./table.ts";

const DIST = new URL("../../dist", import.meta.url).pathname;
interface Bench {
  readonly book: SampleBook;
  readonly screen: Screen;
}

interface Part {
  /** @param flock the executable */
  measure(flock: string, bench: Bench): Promise<void>;
  readonly figures: readonly FigureSpec[];
  /** @returns why it cannot be measured here; undefined when it can */
  lacks?(): string | undefined;
}

/** What can be measured by itself. */
const PARTS = {
  anycast: { measure: measureAnycast, figures: ANYCAST_FIGURES },
  policies: { measure: measurePolicies, figures: POLICY_FIGURES },
  inspect: { measure: measureInspect, figures: INSPECT_FIGURES },
  cluster: { measure: measureCluster, figures: CLUSTER_FIGURES, lacks: missingForCluster },
} as const satisfies Record<string, Part>;
const ROUNDS = 60;
const PODS = 250;
const CREATED_AT_ONCE = 10;
/** Agent and kernel still clean up after an answer; nobody's figure is to hold another one's rest. */
const SETTLE_MS = 25;

/** One contender's turn in a round. */
interface Turn {
  readonly node: "empty" | "full";
  readonly contender: string;
  /** Only in each so many rounds; default in every one. */
  readonly every?: number;
}

const TURNS: readonly Turn[] = [
  { node: "empty", contender: "empty" },
  { node: "empty", contender: "version" },
  { node: "empty", contender: "plugin" },
  { node: "empty", contender: "floor" },
  { node: "empty", contender: "bare" },
  { node: "empty", contender: "rpc" },
  { node: "empty", contender: "ptp4" },
  { node: "empty", contender: "ptp46", every: 12 }, // It waits for duplicate address detection: seconds.
  { node: "empty", contender: "state" },
  { node: "empty", contender: "disk", every: 6 },
  { node: "empty", contender: "bird", every: 2 },
  { node: "full", contender: "plugin" },
  { node: "full", contender: "rpc" },
  { node: "full", contender: "scrape" },
];

/** The nodes under measurement: one without pods and one with PODS of them. */
type Nodes = Readonly<Record<Turn["node"], BenchNode>>;

async function main(args: readonly string[]): Promise<number> {
  const part = partOf(args);
  const write = (text: string): void => void Deno.stdout.writeSync(new TextEncoder().encode(text));
  const screen = createScreen({ write, terminal: Deno.stdout.isTerminal() && !Deno.env.has("NO_COLOR") });
  await screen.step(
    "Debian packages",
    () => ensurePackages([...LAB_PACKAGES, "iperf3"], { runner: createSystemRunner(), progress: screen.print }),
  );
  using _alone = await lockOthersOut();
  const directory = `${DIST}/bench`;
  await removeTree(directory);
  await Deno.mkdir(directory);
  try {
    const figures = part === undefined ? await measure(directory, screen) : await measurePart(part, screen);
    await Deno.writeTextFile(`${DIST}/bench.json`, `${JSON.stringify(figures, null, 2)}\n`);
    screen.heading("medians");
    for (const line of renderTable(figures, screen.paint)) screen.print(`  ${line}`);
    return figures.some(({ holds }) => holds === false) ? 1 : 0;
  } finally {
    await removeTree(directory);
  }
}

/** @returns what alone is to be measured, or undefined for everything. @throws {Error} for what is no part */
function partOf([part, ...more]: readonly string[]): keyof typeof PARTS | undefined {
  if (more.length === 0 && (part === undefined || isPart(part))) return part;
  throw new Error(`Cannot measure ${[part, ...more].join(" ")}: usage is bench [${Object.keys(PARTS).join("|")}]`);
}

function isPart(part: string): part is keyof typeof PARTS {
  return Object.hasOwn(PARTS, part);
}

/** Two benches at once would measure each other. */
async function lockOthersOut(): Promise<Deno.FsFile> {
  const lock = await Deno.open(`${DIST}/bench.lock`, { create: true, write: true });
  await lock.lock(true);
  return lock;
}

async function removeTree(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

async function measure(directory: string, screen: Screen): Promise<Figure[]> {
  const empty = await screen.step("an empty module in flock's form", () => buildEmptyModule(directory));
  const flock = `${DIST}/flock`;
  const lab = await screen.step("router, two nodes, API server", () => createLab({ api: "embedded", flock }));
  const interrupted = onInterrupt(async () => {
    await lab[Symbol.asyncDispose]();
    await removeTree(directory);
  });
  const book = new SampleBook();
  book.add("calico", CALICO_ADD_MS);
  try {
    const nodes = await startNodes(lab, { screen, book, directory, executables: { flock, empty } });
    await screen.step(`${ROUNDS} rounds, each of all in a new order`, () => runRounds(nodes, book));
    book.add("memory-250", await residentMiB(nodes.full.agent));
    await screen.step("agents at rest", async () => {
      await measureIdle(nodes.empty, { book, name: "idle" });
      await measureIdle(nodes.full, { book, name: "idle-250" });
    });
    await measureLoads(nodes, { book, screen });
  } finally {
    interrupted[Symbol.dispose]();
    await lab[Symbol.asyncDispose]();
  }
  const figures: FigureSpec[] = [...FIGURES];
  for (const part of Object.values(PARTS)) figures.push(...await measureIfPossible(part, { book, screen }));
  return resolveFigures(figures, book);
}

async function measurePart(part: keyof typeof PARTS, screen: Screen): Promise<Figure[]> {
  const book = new SampleBook();
  return resolveFigures(await measureIfPossible(PARTS[part], { book, screen }), book);
}

/** @returns what there are samples of now */
async function measureIfPossible(part: Part, bench: Bench): Promise<readonly FigureSpec[]> {
  const lack = part.lacks?.();
  if (lack !== undefined) {
    bench.screen.print(`SKIPPED: ${lack}`);
    return [];
  }
  await part.measure(`${DIST}/flock`, bench);
  return part.figures;
}

async function measureAnycast(flock: string, { book, screen }: Bench): Promise<void> {
  const lab = await screen.step("two routers, four nodes", () => createAnycastLab(flock));
  const interrupted = onInterrupt(() => lab[Symbol.asyncDispose]());
  try {
    await screen.step("Ready flips and birdc, in turns", () => measureFlips(lab, book));
    await screen.step("110 Ready flips at once", () => measureFlipsAtOnce(lab, book));
    await screen.step("rolling restarts and kill -9 under load", () => measureRestarts(lab, book));
    await screen.step("10 000 flows over two pods", () => measureShares(lab, book));
  } finally {
    interrupted[Symbol.dispose]();
    await lab[Symbol.asyncDispose]();
  }
}

async function startNodes(
  lab: Lab,
  { screen, book, directory, executables }: {
    screen: Screen;
    book: SampleBook;
    directory: string;
    executables: Parameters<typeof startBenchNode>[2]["executables"];
  },
): Promise<Nodes> {
  const start = (name: string, cidr4: string): Promise<BenchNode> =>
    startBenchNode(lab, lab.node(name), { executables, cidr4, stateDir: `${directory}/${name}` });
  const nodes = await screen.step("BIRD and agent on both nodes", async () => ({
    empty: await start("node-a", "198.18.0.0/22"),
    full: await start("node-b", "198.18.4.0/22"),
  }));
  for (const { startMs } of Object.values(nodes)) book.add("start", startMs);
  book.add("memory", await residentMiB(nodes.empty.agent));
  await screen.step(`${PODS} pods on one of them`, () => fill(nodes.full));
  return nodes;
}

/** One has been there since the node's start. */
async function fill(node: BenchNode): Promise<void> {
  for (let first = 1; first < PODS; first += CREATED_AT_ONCE) {
    const names = Array.from({ length: Math.min(CREATED_AT_ONCE, PODS - first) }, (_, n) => `${first + n}`);
    const pods = await Promise.all(names.map((name) => node.createPod(name)));
    for (const pod of pods) await node.measure("stay", pod);
  }
}

/** The order is new in each round, so that nobody always runs in the wake of the same other one. The first round only warms up. */
async function runRounds(nodes: Nodes, book: SampleBook): Promise<void> {
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { node, contender, every = 1 } of shuffled(TURNS, Math.random)) {
      if (round % every !== 0) continue;
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      const samples = await nodes[node].measure(contender);
      const prefix = node === "full" ? "full." : "";
      if (round > 0) { for (const [name, ms] of Object.entries(samples)) book.add(`${prefix}${name}`, ms); }
    }
  }
}

async function measureLoads(
  { empty, full }: Nodes,
  { book, screen }: { book: SampleBook; screen: Screen },
): Promise<void> {
  await screen.step("110 pods at once", () => measureBursts(empty, book));
  await screen.step("10 000 pods, one after the other", () => measurePairs(empty, book));
  await screen.step("new agents", async () => {
    await measureStarts(full, { book, name: "start-250", forget: false });
    await measureStarts(empty, { book, name: "start", forget: true });
  });
}

if (import.meta.main) main(Deno.args).then(Deno.exit);
