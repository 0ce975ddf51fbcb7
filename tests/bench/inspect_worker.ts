/** Runs in the node's namespaces: times processes in turns. Arguments: rounds, and name -> argv as JSON; prints name -> ms as JSON. */
import { runTimed } from "./_spawn.ts";
import { shuffled } from "./statistics.ts";

async function time(rounds: number, argvs: Readonly<Record<string, readonly string[]>>): Promise<void> {
  const samples: Record<string, number[]> = Object.fromEntries(Object.keys(argvs).map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) { // the first one warms up
    for (const [name, argv] of shuffled(Object.entries(argvs), Math.random)) {
      const { ms } = await runTimed(argv);
      if (round >= 0) samples[name]?.push(ms);
    }
  }
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(samples)));
}

const [rounds = "1", argvs = "{}"] = Deno.args;
time(Number(rounds), JSON.parse(argvs));
