/** The golden tables, judged and kept by the real nft. */
import { assert, assertEquals } from "@std/assert";
import { expectOwnNamespace } from "../../tests/lab/in_namespace.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { compilePolicyTable } from "./compile_policy_table.ts";
import { renderPolicyTable } from "./render_policy_table.ts";
import { worldOf } from "./testdata/_policy_fixture.ts";
import { GOLDEN_WORLDS } from "./testdata/worlds.ts";

expectOwnNamespace();
const runner = createSystemRunner();

async function nft(args: readonly string[], stdin = ""): Promise<string> {
  const { code, stdout, stderr } = await runner.run(["/usr/sbin/nft", ...args], { stdin });
  assertEquals([code, stderr], [0, ""], stdin);
  return stdout;
}

for (const [name, fields] of Object.entries(GOLDEN_WORLDS)) {
  Deno.test(`nft takes the golden table ${name}, also in place of another`, async () => {
    const golden = await Deno.readTextFile(new URL(`testdata/${name}.nft`, import.meta.url));
    await nft(["-c", "-f", "-"], golden);
    for (const _ of ["first", "again"]) await nft(["-f", "-"], golden);
    const chains = (text: string): number => text.match(/chain /g)?.length ?? 0;
    assertEquals(chains(await nft(["list", "table", "inet", "flock-policy"])), chains(golden));
    assert(golden === renderPolicyTable(compilePolicyTable(worldOf(fields))), "the golden file is another's");
  });
}
