/** Writes the golden files anew: `deno run --allow-write=src/bgp/testdata src/bgp/testdata/write_golden.ts`. Read the difference before you commit it. */
import { renderBird } from "../render_bird.ts";
import { CASES } from "./cases.ts";

for (const [name, config] of Object.entries(CASES)) {
  Deno.writeTextFileSync(new URL(`./${name}.conf`, import.meta.url), renderBird(config));
}
