/** BIRD itself judges what flock renders: `bird -p`, which parses and exits. Needs no root. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { createSystemRunner } from "../exec/system_runner.ts";
import { InvalidInput } from "../fault/invalid_input.ts";
import { parseNodeConfig } from "../nodeconfig/parse_node_config.ts";
import { BIRD } from "../paths/paths.ts";
import type { BirdConfig } from "./bird_config.ts";
import { renderBird } from "./render_bird.ts";
import { resolveBirdConfig } from "./resolve_bird_config.ts";
import { birdConfigs, networks, nodeConfigs } from "./testdata/arbitrary.ts";
import { CASES, goldenOf, ip } from "./testdata/cases.ts";

const runner = createSystemRunner();

/** @returns what BIRD has against the text; empty: nothing */
async function complaintsOf(text: string): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".conf" });
  try {
    await Deno.writeTextFile(file, text);
    const { code, stderr } = await runner.run([BIRD, "-p", "-c", file]);
    return code === 0 ? "" : stderr || `exit code ${code}`;
  } finally {
    await Deno.remove(file);
  }
}

for (const name of Object.keys(CASES)) {
  Deno.test(`BIRD takes ${name}.conf`, async () => {
    assertEquals(await complaintsOf(goldenOf(name)), "");
  });
}

Deno.test("BIRD takes the bootstrap configuration, which holds no kernel protocol", async () => {
  const text = await Deno.readTextFile(new URL("../../deploy/bird.conf", import.meta.url));
  assertEquals(await complaintsOf(text), "");
  assert(!/^\s*protocol (kernel|bgp|static)/m.test(text));
});

const SPOILED: [string, (text: string) => string][] = [
  ["a line of another language", (text) => `${text}up;\n`],
  ["AS number 0", (text) => text.replace("as 65101", "as 0")],
  ["a session without a neighbour", (text) => text.replace(/ {2}neighbor .*\n/, "")],
  ["host bits in a route", (text) => text.replace("203.0.113.0/26 blackhole", "203.0.113.1/26 blackhole")],
  ["a block that does not end", (text) => text.slice(0, -2)],
  ["a session twice", (text) => text + (/protocol bgp peer4[^]*?\n}\n/.exec(text)?.[0] ?? "")],
];

for (const [what, spoil] of SPOILED) {
  Deno.test(`BIRD refuses ${what}, and says where`, async () => {
    assertMatch(await complaintsOf(spoil(goldenOf("dual_stack"))), /:\d+:\d+ /);
  });
}

/** @returns whether there was a text to judge: what flock refuses itself, BIRD never sees */
async function judge(make: () => BirdConfig): Promise<boolean> {
  try {
    assertEquals(await complaintsOf(renderBird(make())), "");
    return true;
  } catch (error) {
    if (error instanceof InvalidInput) return false;
    throw error;
  }
}

Deno.test("BIRD takes whatever renderBird() makes of typed input, however hostile", async () => {
  let judged = 0;
  await fc.assert(
    fc.asyncProperty(birdConfigs, async (config) => {
      if (await judge(() => config)) judged++;
    }),
    { numRuns: 600 },
  );
  assert(judged > 200, `${judged} judged`);
});

Deno.test("BIRD takes whatever comes of a NodeConfig, however hostile, on whatever network", async () => {
  let judged = 0;
  const pods = {
    nodeName: "node-a",
    liveAddresses: [ip("203.0.113.200"), ip("2001:db8:aaaa::1")],
    anycast: [ip("203.0.113.53")],
  };
  await fc.assert(
    fc.asyncProperty(nodeConfigs, networks, async (raw, network) => {
      if (await judge(() => resolveBirdConfig({ ...pods, network, config: parseNodeConfig(raw) }))) judged++;
    }),
    { numRuns: 600 },
  );
  assert(judged > 200, `${judged} judged`);
});
