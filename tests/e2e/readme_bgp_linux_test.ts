/** The README's chapter about BGP sessions: its NodeConfig is one, and its FRR configuration is taken by FRR. */
import { assert, assertEquals } from "@std/assert";
import { loadAll } from "js-yaml";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { parseNodeConfig } from "../../src/nodeconfig/parse_node_config.ts";
import { record } from "../lab/json.ts";

const README = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));
const CHAPTER = README.slice(README.indexOf("\n## BGP sessions\n")).split(/\n## /)[1] ?? "";

/** The text of the chapter's only block of that kind that begins so. */
function blockOf(kind: string, begin: string): string {
  const blocks = [...CHAPTER.matchAll(/^```(\w*)\n(.*?)^```$/gms)].filter(([, of, text]) =>
    of === kind && text?.startsWith(begin)
  );
  assertEquals(blocks.length, 1);
  return blocks[0]?.[2] ?? "";
}

Deno.test("the NodeConfig of the README's BGP chapter uses every option that the chapter lists", () => {
  const metadata = { name: "node-a", uid: "u", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z" };
  const { bgp } = record(loadAll(blockOf("yaml", "bgp:"))[0]);
  const parsed = parseNodeConfig({ metadata, spec: { cidr4: ["203.0.113.0/24"], bgp } });
  const listed = [...CHAPTER.matchAll(/^\| `(\w+)` +\|/gm)].map(([, option]) => option ?? "");
  assert(listed.length >= 8);
  const used = new Set(parsed.bgp?.peers.flatMap((peer) => Object.keys(peer)));
  assertEquals(listed.filter((option) => !used.has(option)), []);
});

Deno.test("FRR takes every line of the README's BGP chapter", async () => {
  const directory = await Deno.makeTempDir({ prefix: "flock-readme-" });
  try {
    await Deno.chmod(directory, 0o755);
    const complaintsOf = async (text: string): Promise<string> => {
      await Deno.writeTextFile(`${directory}/bgpd.conf`, text);
      const check = await createSystemRunner().run(["/usr/lib/frr/bgpd", "-C", "-f", `${directory}/bgpd.conf`]);
      return `${check.stdout}${check.stderr}`;
    };
    const text = blockOf("", "router bgp");
    assertEquals(await complaintsOf(text), "");
    const spoiled = await complaintsOf(text.replace("ttl-security", "ttl-securiti"));
    assert(spoiled.includes("No such command"), spoiled);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
