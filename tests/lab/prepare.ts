/**
 * Before tests that need real parts: what earlier runs left goes, what is missing comes. `deno run -A
 * tests/lab/prepare.ts`
 */
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { cleanStaleLabs } from "./census.ts";
import { ensurePackages, LAB_PACKAGES } from "./packages.ts";

async function main(): Promise<void> {
  const say = (message: string): void => void Deno.stdout.writeSync(new TextEncoder().encode(`${message}\n`));
  for (const id of await cleanStaleLabs()) say(`removed lab ${id}, whose owner died`);
  await ensurePackages([...LAB_PACKAGES, "iptables", "prometheus", "strace"], {
    runner: createSystemRunner(),
    progress: say,
  });
}

if (import.meta.main) main();
