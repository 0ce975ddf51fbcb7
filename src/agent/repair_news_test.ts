import { assertEquals } from "@std/assert";
import { createLogger } from "../log/logger.ts";
import { Journal, REPAIRED } from "./journal.ts";
import { RepairNews } from "./repair_news.ts";

Deno.test("RepairNews tells once of what others changed, and not of what a start or another NodeConfig brings about", () => {
  const journal = new Journal(createLogger(() => {}, { level: "info", now: () => 0 }), () => 0);
  const told: string[] = [];
  let generation: number | undefined;
  const news = new RepairNews({ journal, generation: () => generation, tell: (text) => void told.push(text) });
  const repair = (what: string): void => journal.logger.warn(REPAIRED, { part: "links", what });
  repair("route of the start");
  news.look();
  generation = 1;
  repair("route of the first pass");
  news.look();
  news.look();
  repair("route of the new CIDR");
  generation = 2;
  news.look();
  assertEquals(told, []);
  repair("route a");
  repair("route b");
  news.look();
  news.look();
  for (let i = 0; i < 60; i++) repair("route c");
  news.look();
  assertEquals(told, [
    "Somebody else changed what is flock's, and it was put back: route a; route b",
    "Somebody else changed what is flock's, and it was put back: route c; 60 in all",
  ]);
});
