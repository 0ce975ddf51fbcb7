import { assertEquals, assertStringIncludes } from "@std/assert";
import { MetricRegistry } from "./metric_registry.ts";

Deno.test("MetricRegistry shows what is read at a scrape, and no series of before", async () => {
  const registry = new MetricRegistry<readonly string[]>();
  registry.add({
    ...{ type: "gauge", name: "size", help: "Sizes.", labels: ["of"] },
    read: (facts) => facts.map((of) => ({ labels: { of }, value: of.length })),
  });
  registry.add({ type: "counter", name: "seen_total", help: "Seen.", read: (facts) => [{ value: facts.length }] });
  assertStringIncludes(await registry.text(["ab", "c"]), 'size{of="ab"} 2\nsize{of="c"} 1\n');
  const text = await registry.text(["c"]);
  assertEquals(text.split("\n").filter((line) => line !== ""), [
    ...["# HELP size Sizes.", "# TYPE size gauge", 'size{of="c"} 1'],
    ...["# HELP seen_total Seen.", "# TYPE seen_total counter", "seen_total 1"],
  ]);
});

Deno.test("MetricRegistry sorts observations into buckets", async () => {
  const registry = new MetricRegistry<undefined>();
  const took = registry.addHistogram({
    name: "took_seconds",
    help: "Took.",
    labels: ["verb"],
    buckets: [0.1, 1],
  });
  took.observe({ verb: "ADD" }, 0.05);
  took.observe({ verb: "ADD" }, 0.5);
  const text = await registry.text(undefined);
  for (const line of ['_bucket{le="0.1",verb="ADD"} 1', '_bucket{le="1",verb="ADD"} 2', '_count{verb="ADD"} 2']) {
    assertStringIncludes(text, `took_seconds${line}`);
  }
});
