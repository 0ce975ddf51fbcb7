/** Opens a cage with an agent that has its first argument for a script, and is killed. */
import { Cage } from "./_cage.ts";

async function main(script: string): Promise<void> {
  const cage = await Cage.open();
  await cage.startAgent(script);
  Deno.kill(Deno.pid, "SIGKILL");
}

if (import.meta.main) main(Deno.args[0] ?? "");
