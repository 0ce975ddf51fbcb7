/**
 * Installs two executables over each other, a hundred at once, again and again until /run/enough is there and enough
 * were placed, which /run/stormed tells. Without asking them for VERSION: a process that starts others shares its open files with them for a
 * moment, as no installer does.
 */
import { placeExecutable } from "../../src/install/place_executable.ts";
import { NEW_PLUGIN, PLUGIN } from "../../src/paths/paths.ts";
import { exists } from "../lab/until.ts";

const AT_ONCE = 100;
const ENOUGH = 50;
const ANSWER = '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}';
const runner = { run: () => Promise.resolve({ code: 0, stdout: ANSWER, stderr: "" }) };
/** What is missing of it, is its end, which answers. */
const LONG_COMMENT = `${"#".repeat(99)}\n`.repeat(2_000);

async function storm(): Promise<void> {
  const sources = ["/run/one", "/run/two"];
  for (const source of sources) {
    await Deno.writeTextFile(source, `#!/bin/sh\n# ${source}\n${LONG_COMMENT}echo '${ANSWER}'\n`, { mode: 0o755 });
  }
  let placed = 0;
  do {
    const installs = Array.from({ length: AT_ONCE }, async (_, index) => {
      const source = sources[index % sources.length] ?? "";
      if (await placeExecutable({ source, target: PLUGIN, temporary: NEW_PLUGIN, runner }) === "placed") placed++;
    });
    await Promise.all(installs);
    if (placed > ENOUGH) await Deno.writeTextFile("/run/stormed", `${placed}\n`);
  } while (!await exists("/run/enough"));
}

if (import.meta.main) storm();
