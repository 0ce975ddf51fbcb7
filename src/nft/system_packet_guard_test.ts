import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { CommandRunner } from "../exec/command_runner.ts";
import { parseAddress } from "../ip/address.ts";
import type { GuardState, PacketGuard, SourceGrant } from "./packet_guard.ts";
import { createPacketGuard } from "./system_packet_guard.ts";

/** What nft -i writes about the word that ends a block, without the mark itself. */
const MARK_COMPLAINT = "Error: syntax error, unexpected newline, expecting string\n";
const NO_TABLE: GuardState = { grants: [], podPrefixes: [] };

/** An nft in memory: keeps what it was told, in order, and complains about what `refuse` matches. */
class ScriptedNft implements CommandRunner {
  readonly told: string[] = [];
  conversations = 0;
  closed = 0;
  refuse = /^$/;
  lists = '{"nftables":[]}';

  run: CommandRunner["run"] = (argv, options) => {
    const what = options?.stdin === undefined ? "list" : "replace";
    this.told.push(what);
    const bad = this.refuse.test(what);
    return Promise.resolve({ code: bad ? 1 : 0, stdout: this.lists, stderr: bad ? `Error: ${argv}` : "" });
  };

  converse: CommandRunner["converse"] = () => {
    this.conversations++;
    return {
      send: ([line = ""]) => {
        this.told.push(line);
        return Promise.resolve(
          `${this.refuse.test(line) ? "Error: No such file or directory\n" : ""}${MARK_COMPLAINT}`,
        );
      },
      close: () => {
        this.closed++;
        return Promise.resolve();
      },
    };
  };
}

function guardOn(nft: ScriptedNft): PacketGuard {
  return createPacketGuard({ runner: nft, nft: "/usr/sbin/nft" });
}

function grant(text: string): SourceGrant[] {
  const address = parseAddress(text);
  return address ? [{ link: "flock00000001", address }] : [];
}

Deno.test("the guard's work is done in the order in which it was asked for", async () => {
  const nft = new ScriptedNft();
  const guard = guardOn(nft);
  await Promise.all([
    guard.grant(grant("10.0.0.1")),
    guard.replace(NO_TABLE),
    guard.grant(grant("10.0.0.2")),
    guard.revoke(grant("10.0.0.3")),
  ]);
  assertEquals(nft.told.map((line) => line.match(/10\.0\.0\.\d/g)?.join(" ") ?? line), [
    "10.0.0.1 10.0.0.1",
    "replace",
    "list",
    "list",
    "10.0.0.2 10.0.0.3 10.0.0.2 10.0.0.3 10.0.0.3 10.0.0.3",
  ]);
});

Deno.test("grant() rejects with what nft wrote, and spoils nothing that comes after", async () => {
  const nft = new ScriptedNft();
  const guard = guardOn(nft);
  nft.refuse = /10\.0\.0\.1/;
  await assertRejects(
    () => guard.grant(grant("10.0.0.1")),
    Error,
    'Cannot change the tables flock: nft wrote "Error: No such file or directory"',
  );
  await guard.grant(grant("10.0.0.2"));
  assertStringIncludes(nft.told.at(-1) ?? "", "10.0.0.2");
});

Deno.test("replace() rejects when nft refuses, and does not believe in a table that it could not read back", async () => {
  const nft = new ScriptedNft();
  const guard = guardOn(nft);
  for (const step of [/replace/, /list/]) {
    nft.refuse = step;
    await assertRejects(() => guard.replace(NO_TABLE), Error, "exit code 1");
  }
  nft.refuse = /^$/;
  assertEquals(await guard.drift(NO_TABLE), ["the tables flock are not what this process wrote"]);
  assertEquals(await guard.check([]), [], "the tables of the agent before may be as good");
  await guard.replace(NO_TABLE);
  assertEquals(await guard.drift(NO_TABLE), []);
});

Deno.test("grant() and revoke() of nothing ask nft nothing", async () => {
  const nft = new ScriptedNft();
  await guardOn(nft).grant([]);
  await guardOn(nft).revoke([]);
  assertEquals(nft.told, []);
});

Deno.test("the conversation is started anew before what nft remembers of its lines grows large", async () => {
  const nft = new ScriptedNft();
  const guard = guardOn(nft);
  for (let line = 0; line < 5001; line++) await guard.grant(grant("10.0.0.1"));
  assertEquals([nft.conversations, nft.closed, nft.told.length], [2, 1, 5001]);
  await guard.close();
  assertEquals(nft.closed, 2);
});

Deno.test("drift() and check() take a list that breaks off for a difference, and replace() mends it", async () => {
  const nft = new ScriptedNft();
  const guard = guardOn(nft);
  await guard.replace(NO_TABLE);
  const whole = nft.lists;
  nft.lists = '{"nftables": [{"table": {"family": "inet", "name": "flock", "handle": 1, "flags": ';
  const unreadable = ["the tables flock are unreadable: nft broke off its list"];
  assertEquals([await guard.drift(NO_TABLE), await guard.check([])], [unreadable, unreadable]);
  nft.lists = whole;
  await guard.replace(NO_TABLE);
  assertEquals(await guard.drift(NO_TABLE), []);
});
