import { assertEquals, assertRejects } from "@std/assert";
import { runEach } from "./run_each.ts";

const fail = (message: string) => (): Promise<void> => Promise.reject(new TypeError(message));

Deno.test("runEach() runs every work in turn, and throws what failed", async () => {
  const done: string[] = [];
  const note = (what: string) => (): Promise<void> => Promise.resolve(void done.push(what));
  await runEach([note("a"), note("b")]);
  await assertRejects(() => runEach([fail("no ip"), note("c")]), TypeError, "no ip");
  await assertRejects(
    () => runEach([fail("no ip"), note("d"), fail("no nft"), note("e")]),
    AggregateError,
    "TypeError: no ip; TypeError: no nft",
  );
  assertEquals(done, ["a", "b", "c", "d", "e"]);
});
