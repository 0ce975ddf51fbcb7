/** The README's table of Events, and the code. */
import { assertEquals } from "@std/assert";
import { EVENT_REASONS } from "../../src/agent/event_reasons.ts";
import { productionSources, ROOT } from "./_module_graph.ts";

const ROW = /^\| `([A-Z][A-Za-z]+)` +\| (NodeConfig|Pod|NetworkPolicy) +\| (Warning|Normal) +\|/gm;

Deno.test("the README's table of Events has every reason that there is, its object and type, and no other", async () => {
  const rows = [...(await Deno.readTextFile(new URL("README.md", ROOT))).matchAll(ROW)];
  const known = Object.entries(EVENT_REASONS).map(([reason, { on, type }]) => `${reason} ${on} ${type}`);
  assertEquals(rows.map(([, ...columns]) => columns.join(" ")).sort(), known.sort());
});

Deno.test("every reason of an Event is recorded somewhere", async () => {
  const paths = (await productionSources()).filter((path) => !path.endsWith("/event_reasons.ts"));
  const texts = await Promise.all(paths.map((path) => Deno.readTextFile(new URL(path, ROOT))));
  const unused = Object.keys(EVENT_REASONS).filter((reason) => !texts.some((text) => text.includes(`"${reason}"`)));
  assertEquals(unused, []);
});
