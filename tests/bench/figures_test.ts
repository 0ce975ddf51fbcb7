import { assert, assertEquals, assertThrows } from "@std/assert";
import { ANYCAST_FIGURES, FIGURES, type FigureSpec, resolveFigures } from "./figures.ts";
import { SampleBook } from "./statistics.ts";

function bookOf(samples: Readonly<Record<string, number>>): SampleBook {
  const book = new SampleBook();
  for (const [name, sample] of Object.entries(samples)) book.add(name, sample);
  return book;
}

Deno.test("resolveFigures() holds a figure against a multiple of its floor", () => {
  const specs: FigureSpec[] = [{ id: "add", what: "ADD", floor: "bare", times: 1.5 }];
  const within = { id: "add", what: "ADD", value: 30, unit: "ms", floor: 20, target: 30, holds: true } as const;
  assertEquals(resolveFigures(specs, bookOf({ add: 30, bare: 20 })), [within]);
  assertEquals(resolveFigures(specs, bookOf({ add: 30.1, bare: 20 }))[0]?.holds, false);
});

Deno.test("resolveFigures() holds a figure against an absolute target, and some against nothing", () => {
  const specs: FigureSpec[] = [
    { id: "memory", what: "memory", unit: "MiB", atMost: 180 },
    { id: "del", what: "DEL", samples: "full.del", floor: "empty" },
  ];
  assertEquals(resolveFigures(specs, bookOf({ memory: 181, "full.del": 3, empty: 2 })), [
    { id: "memory", what: "memory", value: 181, unit: "MiB", floor: null, target: 180, holds: false },
    { id: "del", what: "DEL", value: 3, unit: "ms", floor: 2, target: null, holds: null },
  ]);
});

Deno.test("resolveFigures() compares the worst with the floor's worst", () => {
  const book = new SampleBook();
  for (const sample of [1, 2, 30]) book.add("flip", sample);
  for (const sample of [1, 1, 9]) book.add("birdc", sample);
  const [figure] = resolveFigures([{ id: "flip", what: "flip", quantile: 1, floor: "birdc", atMost: 30 }], book);
  assertEquals([figure?.value, figure?.floor, figure?.holds], [30, 9, true]);
});

Deno.test("resolveFigures() never leaves out a figure that was not measured", () => {
  assertThrows(() => resolveFigures([{ id: "add", what: "ADD" }], bookOf({})), Error, "Cannot tell add");
});

const ALL = [...FIGURES, ...ANYCAST_FIGURES];

Deno.test("the figures have one id each, and every target that is a multiple has a floor", () => {
  assertEquals(new Set(ALL.map(({ id }) => id)).size, ALL.length);
  assert(ALL.every(({ times, floor }) => times === undefined || floor !== undefined));
});

// What the issues name, word by word; `idle-250` is flock's own.
Deno.test("the figures hold the issues' targets", () => {
  assertEquals(targetsOf(ALL), [
    ["add", "floor", 1.5],
    ["add", "ptp4", 5],
    ["full.add", "add", 1.15],
    ["agent-add", "ip", 2.5],
    ["agent-del", 5],
    ["version", "empty", 1.15],
    ["full.scrape", 20],
    ["memory-250", 180],
    ["burst-add", "burst-empty", 1.25],
    ["burst-add", "burst-floor", 1.25],
    ["burst-memory", 200],
    ["burst-del", 1500],
    ["burst-agent-del", 3],
    ["pairs-files", "pairs-files.warm", 1],
    ["pairs-zombies", 0],
    ["pairs-memory", "pairs-memory.warm", 1.1],
    ["start", 1000],
    ["start-250", 1500],
    ["idle-250", 3],
    ["flip", "birdc", 2.5],
    ["flip", 30],
    ["flips", 150],
    ["flips-reloads", 8],
    ["flips-resets", 0],
    ["restart-lost", 0],
    ["kill-lost", 0],
    ["kill-changes", 0],
    ["share", 10],
    ["moved", 0],
  ]);
});

function targetsOf(specs: readonly FigureSpec[]): unknown[] {
  return specs.flatMap(({ id, samples = id, floor, times, atMost }) =>
    atMost !== undefined ? [[samples, atMost]] : times !== undefined ? [[samples, floor, times]] : []
  );
}

Deno.test("resolveFigures() holds a figure's tail against its own median", () => {
  const book = new SampleBook();
  for (const sample of [5, 5, 21]) book.add("event", sample);
  const spec: FigureSpec = { id: "event-p99", what: "event", samples: "event", quantile: 0.99, timesMedian: 4 };
  const [figure] = resolveFigures([spec], book);
  assertEquals([figure?.value, figure?.target, figure?.holds], [21, 20, false]);
});
