import { assertEquals, assertRejects } from "@std/assert";
import type { CommandRunner, Conversation } from "./command_runner.ts";
import { IpBatch, ipBatchProtocol } from "./ip_batch.ts";

const END = (line: number): string => `"ip route flush" requires arguments.\nCommand failed -:${line}\n`;

/** An `ip -batch` that fails on each line with the word `bad`, as ip does. */
class ScriptedIp {
  readonly sends: (readonly string[])[] = [];
  closed = 0;
  dead = false;

  readonly runner: CommandRunner = {
    run: () => Promise.reject(new Error("Cannot run: not scripted")),
    converse: (): Conversation => {
      let lines = 0;
      return {
        send: async (block) => {
          await Promise.resolve();
          this.sends.push(block);
          if (this.dead || block.includes("deadly")) throw new Error("Cannot talk to ip: it ended");
          return block.map((line) => {
            lines++;
            if (line === "route flush") return END(lines);
            if (line === "torn") return "Dump was interrupted and may be inconsistent.\n";
            return line.includes("bad") ? `RTNETLINK answers: no\nCommand failed -:${lines}\n` : "";
          }).join("");
        },
        close: () => Promise.resolve(void this.closed++),
      };
    },
  };
}

Deno.test("IpBatch sends what waits at the same time together, and tells each block its own failures", async () => {
  const ip = new ScriptedIp();
  const batch = new IpBatch(ip.runner, "/usr/sbin/ip");
  const answers = await Promise.all([["a"], ["b bad", "c"], ["d"], ["e", "f bad"]].map((block) => batch.run(block)));
  assertEquals(answers.map((answer) => answer.includes("RTNETLINK")), [false, true, false, true]);
  assertEquals(answers[0], "");
  assertEquals(ip.sends, [["a"], ["b bad", "c", "route flush", "d", "route flush", "e", "f bad"]]);
});

Deno.test("IpBatch fails every block that was under way when ip died, and serves the next", async () => {
  const ip = new ScriptedIp();
  const batch = new IpBatch(ip.runner, "/usr/sbin/ip");
  ip.dead = true;
  await assertRejects(() => batch.run(["a"]), Error, "it ended");
  ip.dead = false;
  assertEquals(await batch.run(["b"]), "");
});

Deno.test("IpBatch fails only the block whose line ended ip, of those that it sent together", async () => {
  const ip = new ScriptedIp();
  const batch = new IpBatch(ip.runner, "/usr/sbin/ip");
  const first = batch.run(["a"]);
  const [b, c, d] = await Promise.allSettled([batch.run(["b"]), batch.run(["deadly"]), batch.run(["d bad"])]);
  assertEquals([await first, b.status, c.status, d.status], ["", "fulfilled", "rejected", "fulfilled"]);
  assertEquals(ip.sends, [["a"], ["b", "route flush", "deadly", "route flush", "d bad"], ["b"], ["deadly"], ["d bad"]]);
});

Deno.test("IpBatch takes no line for failed because ip's own listing of links was interrupted", async () => {
  const batch = new IpBatch(new ScriptedIp().runner, "/usr/sbin/ip");
  assertEquals(await batch.run(["torn"]), "");
  assertEquals(await batch.run(["torn", "b bad"]), "RTNETLINK answers: no\nCommand failed -:3\n");
});

Deno.test("IpBatch goes on with a new process after renew(), and closes the old one", async () => {
  const ip = new ScriptedIp();
  const batch = new IpBatch(ip.runner, "/usr/sbin/ip");
  await batch.run(["a"]);
  batch.renew();
  assertEquals(await batch.run(["b bad"]), "RTNETLINK answers: no\nCommand failed -:1\n");
  assertEquals(ip.closed, 1);
});

Deno.test("ipBatchProtocol() ends an answer with the marker's own line number", () => {
  const protocol = ipBatchProtocol("/usr/sbin/ip");
  assertEquals([protocol.markerLine(1), protocol.markerText(1, 7)], ["route flush", END(7)]);
});
