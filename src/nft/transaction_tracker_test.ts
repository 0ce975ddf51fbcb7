import { assertEquals } from "@std/assert";
import { GUARD_TABLES } from "./guard_model.ts";
import { TransactionMark } from "./transaction_mark.ts";
import { TransactionTracker } from "./transaction_tracker.ts";

const mark = new TransactionMark("1f3a", GUARD_TABLES);
const policyMark = new TransactionMark("1f3a", ["inet flock-policy"]);
const ELEMENT = 'add element inet flock own4 { "flock0badcafe" . 10.0.0.8 }';
const end = (pid: number): string => `# new generation 7 by process ${pid} (nft)`;
/** As nft monitor shows the transactions that sign. */
const shown = (signature: string): string[] => signature.trim().split(/; |\n/);

/** @returns whether others have changed flock's tables, after these lines */
function changed(lines: readonly string[], tracker = new TransactionTracker(mark)): boolean {
  for (const line of lines) tracker.hear(line);
  return tracker.changedByOthers(mark) !== "none";
}

Deno.test("TransactionTracker knows a process that signs, also what it did just before", () => {
  const tracker = new TransactionTracker(mark);
  assertEquals(changed([ELEMENT, end(10), ...shown(mark.process), end(10)], tracker), false);
  assertEquals(changed([ELEMENT, end(10)], tracker), false);
  assertEquals(changed([ELEMENT, end(11)], tracker), true);
  assertEquals(changed([...shown(mark.process), end(12), ELEMENT, end(12)], tracker), false);
  assertEquals(changed([ELEMENT, end(10)], tracker), true, "the process before is ours no more");
});

Deno.test("TransactionTracker takes a signed transaction for ours, and its process for nobody's", () => {
  const replaced = ["delete table inet flock", "add table inet flock", ...shown(mark.once)];
  assertEquals(changed([...replaced, end(20)]), false);
  assertEquals(changed([...replaced, end(20), ELEMENT, end(20)]), true);
  assertEquals(changed([...shown(new TransactionMark("0000", GUARD_TABLES).once), ELEMENT, end(20)]), true);
});

Deno.test("TransactionTracker tells changes of flock's tables from changes of others'", () => {
  const ours = [
    "delete table inet flock",
    "delete table arp flock",
    "delete rule inet flock from_pod handle 5",
    "add chain inet flock input { type filter hook input priority filter - 10; policy drop; }",
    "delete counter inet flock spoofed4",
    "add ct helper inet flock h { ",
    "delete set inet flock own4",
    ELEMENT,
  ];
  for (const line of ours) assertEquals(changed([line, end(5)]), true, line);
  const others = [
    "delete table inet flock-other",
    "delete table ip flock",
    "add table inet flocking",
    'add rule ip filter INPUT accept comment "delete table inet flock"',
    'add element inet kube-proxy s { "inet flock" }',
  ];
  for (const line of others) assertEquals(changed([line, end(5)]), false, line);
  assertEquals(changed([...others, ELEMENT, end(5)]), true);
});

Deno.test("TransactionTracker suspects what it cannot see: transactions without a change, lost ones, warnings", () => {
  const lines = [
    "# ERROR: We lost some netlink events!",
    "W: Received event for an unknown set.",
    end(5),
    "# new generation 9",
  ];
  for (const line of lines) assertEquals(changed([line]), true, line);
  assertEquals(changed(["\telements = { 10.0.0.1 }", "}", ""]), false);
});

Deno.test("TransactionTracker keeps two writers' tables apart, and takes either one's process for ours", () => {
  const tracker = new TransactionTracker(mark, policyMark);
  const policy = "delete element inet flock-policy peers4_x { 10.0.0.8 }";
  const told = (lines: readonly string[]): unknown[] => {
    const worthAsking = lines.map((line) => tracker.hear(line)).includes(true);
    return [worthAsking, tracker.changedByOthers(mark), tracker.changedByOthers(policyMark)];
  };
  assertEquals(told([policy, end(9)]), [true, "none", "sure"]);
  assertEquals(told([ELEMENT, end(9)]), [true, "sure", "none"]);
  assertEquals(told([policy, end(31), ...shown(policyMark.process), end(31)]), [true, "none", "none"]);
  assertEquals(told([...shown(mark.process), end(30)]), [false, "none", "none"]);
  assertEquals(told([policy, end(31), ELEMENT, end(30)]), [false, "none", "none"]);
  assertEquals(told([end(31), end(30)]), [false, "none", "none"], "nothing that nft shows, but ours");
  assertEquals(told([end(9)]), [true, "unsure", "unsure"]);
  assertEquals(told([policy, "# new generation 9"]), [true, "none", "unsure"]);
  assertEquals(told(["# ERROR: We lost some netlink events!", policy, end(9)]), [true, "unsure", "sure"]);
  assertEquals(told(["add table inet flock-policy", ...shown(policyMark.once), end(40)]), [false, "none", "none"]);
});
