import { assertEquals, assertRejects } from "@std/assert";
import type { CommandRunner } from "../exec/command_runner.ts";
import { createTextTable } from "./system_text_table.ts";
import { TransactionMark } from "./transaction_mark.ts";
import { TransactionRefused } from "./text_table.ts";

const NAME = "inet flock-policy";
/** What nft -i writes about the word that ends a block, without the mark itself. */
const MARK_COMPLAINT = "Error: syntax error, unexpected newline, expecting string\n";

/** @returns what an nft was told, line by line or file by file; the nft complains about what holds the word `bad` */
function scriptedNft(): { told: string[]; runner: CommandRunner; readonly conversations: number } {
  const told: string[] = [];
  let conversations = 0;
  const answer = (text: string): string => text.includes("bad") ? "Error: bad\n" : "";
  const runner: CommandRunner = {
    run: (argv, { stdin = "" } = {}) => {
      told.push(`${argv.slice(1).join(" ")} ${stdin.length > 99 ? "..." : stdin}`);
      return Promise.resolve({ code: stdin.includes("bad") ? 1 : 0, stdout: "", stderr: answer(stdin) });
    },
    converse: () => {
      conversations++;
      return {
        send: ([line = ""]) => {
          told.push(line);
          return Promise.resolve(`${answer(line)}${MARK_COMPLAINT}`);
        },
        close: () => Promise.resolve(),
      };
    },
  };
  return {
    ...{ told, runner },
    get conversations(): number {
      return conversations;
    },
  };
}

Deno.test("change() is one line of the conversation, which signs itself once before; what is long is one file, signed by itself", async () => {
  const { told, runner } = scriptedNft();
  const mark = new TransactionMark("1f3a", [NAME]);
  const table = createTextTable({ runner, nft: "/usr/sbin/nft", table: NAME, mark });
  await table.change(["add a", "add b"]);
  await table.change(["add c"]);
  await table.change([`add ${"x".repeat(30_000)}`]);
  await table.replace("table");
  const [add, remove] = mark.once.trim().split("\n");
  assertEquals(told, [mark.process, "add a; add b", "add c", "-f - ...", `-f - table${add}\n${remove}\n`]);
  await table.close();
});

Deno.test("change(), replace() and refusal() tell what nft complained of, and all later calls are done", async () => {
  const { told, runner } = scriptedNft();
  const table = createTextTable({ runner, nft: "/usr/sbin/nft", table: NAME });
  const calls = [
    () => table.change(["bad"]),
    () => table.change([`bad${"x".repeat(30_000)}`]),
    () => table.replace("bad"),
  ];
  for (const call of calls) {
    const error = await assertRejects(call, TransactionRefused, "Cannot change table inet flock-policy: nft wrote");
    assertEquals(error.complaint.trim(), "Error: bad");
  }
  assertEquals([await table.refusal("bad"), await table.refusal("good")], ["Error: bad\n", undefined]);
  await table.change(["good"]);
  assertEquals(told.at(-1), "good");
});

Deno.test("the conversation is started anew after a million characters, and signed before its first change", async () => {
  const nft = scriptedNft();
  const mark = new TransactionMark("1f3a", [NAME]);
  const table = createTextTable({ runner: nft.runner, nft: "/usr/sbin/nft", table: NAME, mark });
  const lines = Array.from({ length: 99 }, (_, n) => `add ${n}${"x".repeat(20_000)}`);
  for (const line of lines) await table.change([line]);
  assertEquals(nft.conversations, 2);
  const full = lines.findIndex((_, n) => lines.slice(0, n + 1).join("").length > 1_000_000);
  assertEquals(nft.told, [mark.process, ...lines.slice(0, full + 1), mark.process, ...lines.slice(full + 1)]);
});
