import { assertEquals } from "@std/assert";
import { Debts } from "./debts.ts";

const ONE = { containerId: "one", createdAt: 10_000 };

Deno.test("Debts are due some time after the grace period, the death, and the start of the agent that must see it", () => {
  const debts = new Debts();
  assertEquals(debts.dueAt(ONE, 0), undefined);
  debts.owe("one", 50_000);
  debts.owe("one", 60_000);
  assertEquals(debts.dueAt(ONE, 0), 70_000 + 45_000);
  assertEquals(debts.dueAt({ ...ONE, createdAt: 0 }, 0), 60_000 + 45_000);
  assertEquals(debts.dueAt(ONE, 80_000), 80_000 + 45_000);
});

Deno.test("Debts that are overdue, or were never owed, are not excused", () => {
  const debts = new Debts();
  debts.owe("one", 0);
  const debtors = [ONE, { containerId: "two", createdAt: 0 }];
  assertEquals(debts.unpaid(debtors, { agentUpSince: 0, now: 115_000 }), new Set(["one"]));
  assertEquals(debts.unpaid(debtors, { agentUpSince: 0, now: 115_001 }), new Set());
});
