import { assertEquals, assertRejects } from "@std/assert";
import type { CommandResult } from "../exec/command_runner.ts";
import { askBird, readBirdSessions } from "./read_bird.ts";
import { readBgp, readLed } from "./read_bgp.ts";
import { Silent } from "./sources.ts";

const GREETING = "0001 BIRD 2.0.12 ready.\n0016 Access restricted\n";
/** As birdc 2.0.12 prints them: the end of an answer is not among the lines. */
const ANSWERS: Readonly<Record<string, string>> = {
  "show protocols all": `${GREETING}2002-Name       Proto      Table      State  Since         Info
1002-peer4_c0000201 BGP        ---        up     2026-11-21T22:13:14+0000  Established   
1006-  BGP state:          Established
         Neighbor address: 192.0.2.1
       Channel ipv4
         Routes:         3 imported, 2 exported, 3 preferred
     
`,
  "show route where source = RTS_STATIC": `${GREETING}1007-Table master4:
     198.51.100.8/32      blackhole [hosts4 22:13:14.729] * (200)
     203.0.113.0/26       blackhole [aggregates4 22:13:14.729] * (200)
     
     Table master6:
     2001:db8:f001::/64   blackhole [aggregates6 22:13:14.729] * (200)
`,
  "show route export peer4_c0000201": `${GREETING}1007-Table master4:
     203.0.113.0/26       blackhole [aggregates4 22:13:14.729] * (200)
`,
  "show route for 192.0.2.77": `${GREETING}8001 Network not found\n`,
};

function runnerOf(answer: (question: string) => Partial<CommandResult>): Parameters<typeof askBird>[0] {
  return {
    run: (argv) => Promise.resolve({ code: 0, stdout: "", stderr: "", ...answer(argv.slice(5).join(" ")) }),
  };
}

const BIRD = runnerOf((question) => ({ stdout: ANSWERS[question] ?? "" }));

Deno.test("readBirdSessions() reads what birdc prints, which leaves out where an answer ends", async () => {
  const sessions = await readBirdSessions(BIRD);
  assertEquals(sessions.map(({ peer, state }) => [peer.text, state]), [["192.0.2.1", "Established"]]);
});

Deno.test("readBgp() tells what BIRD originates, and what each peer is told", async () => {
  const { channels, originated, exported } = await readBgp(BIRD);
  assertEquals(channels.map(({ imported, exported }) => [imported, exported]), [[3, 2]]);
  assertEquals(originated, ["198.51.100.8/32", "203.0.113.0/26", "2001:db8:f001::/64"]);
  assertEquals([...exported], [["192.0.2.1", ["203.0.113.0/26"]]]);
});

Deno.test("readLed() finds no route to an address that BIRD does not know", async () => {
  assertEquals(await readLed(BIRD, ["192.0.2.77"]), []);
});

Deno.test("askBird() says that nobody answers where birdc cannot connect, and that an answer may be nothing", async () => {
  const away = "Unable to connect to server control socket (/run/flock/bird.ctl): No such file or directory\n";
  await assertRejects(() => askBird(runnerOf(() => ({ code: 1, stdout: away })), "show status"), Silent, "Unable");
  assertEquals((await askBird(runnerOf(() => ({ stdout: GREETING })), "show route")).code, 0);
});
