import { assertEquals, assertLess, assertRejects } from "@std/assert";
import type { CommandRunner } from "../exec/command_runner.ts";
import { IpBatch } from "../exec/ip_batch.ts";
import { Undertaker } from "./undertaker.ts";

interface Lab {
  readonly undertaker: Undertaker;
  readonly there: ReadonlySet<string>;
  readonly sends: readonly string[][];
  /** So many processes. */
  started(): number;
}

/** A kernel whose links go a little after they were asked to; `deaf` makes so many requests change nothing. */
function lab(links: string[], { deaf = 0, onLook = () => {} }: { deaf?: number; onLook?: () => void } = {}): Lab {
  const there = new Set(links);
  const sends: string[][] = [];
  let started = 0;
  const send = async (lines: readonly string[]): Promise<string> => {
    sends.push([...lines]);
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (deaf-- <= 0) {
      for (const link of links) {
        if (lines.some((line) => line.includes(` ${link}`))) there.delete(link);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
    return "";
  };
  const runner: CommandRunner = {
    run: () => Promise.reject(new Error("Cannot run: not scripted")),
    converse: () => (started++, { send, close: () => Promise.resolve() }),
  };
  const isThere = (link: string): boolean => (onLook(), there.has(link));
  const undertaker = new Undertaker({ batch: new IpBatch(runner, "/ip"), isThere });
  return { undertaker, there, sends, started: () => started };
}

Deno.test("Undertaker sends links of calls made at the same time as one group", async () => {
  const { undertaker, there, sends } = lab(["a", "b", "c"]);
  await Promise.all(["a", "b", "c"].map((link) => undertaker.bury([link])));
  assertEquals(there.size, 0);
  const group = 0x666c;
  assertEquals(sends, [[
    ...["a", "b", "c"].map((link) => `link set dev ${link} group ${group}`),
    `link del group ${group}`,
  ]]);
});

Deno.test("Undertaker sends links that come while a request is under way together, after it", async () => {
  const { undertaker, sends } = lab(["a", "b", "c"]);
  await undertaker.bury(["a"]);
  await Promise.all([undertaker.bury(["b"]), undertaker.bury(["c"])]);
  assertEquals(sends.map((lines) => lines.length), [1, 3]);
});

Deno.test("Undertaker tries once more with a new process, then says what the kernel keeps", async () => {
  const once = lab(["a"], { deaf: 1 });
  await once.undertaker.bury(["a"]);
  assertEquals([once.sends.length, once.started()], [2, 2]);
  const never = lab(["a"], { deaf: 9 });
  await assertRejects(() => never.undertaker.bury(["a"]), Error, "Cannot remove a: the kernel keeps it");
});

Deno.test("Undertaker looks once for all who wait, not once for each", async () => {
  let looks = 0;
  const links = Array.from({ length: 100 }, (_, n) => `link${n}.`);
  const { undertaker } = lab(links, { onLook: () => looks++ });
  await Promise.all(links.map((link) => undertaker.bury([link])));
  assertLess(looks, 5 * links.length); // each before and after, and the watch that sees them all go
});
