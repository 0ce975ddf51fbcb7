import { assertEquals } from "@std/assert";
import type { LogFields } from "../log/logger.ts";
import { Journal, NODE_CHANGED, REPAIRED } from "./journal.ts";

function openJournal(): { journal: Journal; lines: [string, LogFields | undefined][] } {
  const lines: [string, LogFields | undefined][] = [];
  const note = (message: string, fields?: LogFields): void => void lines.push([message, fields]);
  const inner = { debug: note, info: note, warn: note, error: note };
  return { journal: new Journal(inner, () => 1000), lines };
}

Deno.test("Journal hands every line on, and keeps apart what was put right and what went wrong", () => {
  const { journal, lines } = openJournal();
  journal.logger.info("serving", { node: "a" });
  journal.logger.warn(REPAIRED, { what: "route 192.0.2.7 was missing", part: "links" });
  journal.logger.info(NODE_CHANGED, { what: "net/ipv4/ip_forward was 0", part: "node" });
  journal.logger.error("reconcile failed", { loop: "node", error: "no", ticks: ["start"], x: undefined });
  journal.logger.warn("stopping");
  assertEquals(lines.map(([message]) => message), ["serving", REPAIRED, NODE_CHANGED, "reconcile failed", "stopping"]);
  assertEquals(journal.repairs, [
    { at: 1000, what: "route 192.0.2.7 was missing" },
    { at: 1000, what: "net/ipv4/ip_forward was 0" },
  ]);
  assertEquals(journal.failures.map(({ what }) => what), [
    "reconcile failed: loop node, error no, ticks start",
    "stopping",
  ]);
  assertEquals(Object.fromEntries(journal.repaired), { links: 1, node: 1 });
  assertEquals(Object.fromEntries(journal.lines), { warn: 1, error: 1 });
});

Deno.test("Journal keeps the last 50 in full, and counts all", () => {
  const { journal } = openJournal();
  for (let i = 0; i < 120; i++) journal.logger.warn(REPAIRED, { what: String(i), part: "guard" });
  assertEquals(journal.repairs.length, 50);
  assertEquals(journal.repairs.at(0)?.what, "70");
  assertEquals(journal.repaired.get("guard"), 120);
});
