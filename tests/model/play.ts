// deno-lint-ignore-file no-console -- a task that prints
/**
 * `deno task model [--schedules N] [--seed S] [--path P --replay-path R]`: plays random schedules of calls, crashes and faults against
 * the agent's own parts over a kernel in memory, and prints the shortest one that breaks a rule.
 */
import { MemoryGround } from "./memory_ground.ts";
import { runSchedules } from "./run_schedules.ts";

async function main(args: readonly string[]): Promise<number> {
  const option = (name: string): string | undefined => {
    const at = args.indexOf(`--${name}`);
    return at < 0 ? undefined : args[at + 1];
  };
  const [seed, path, replayPath] = [option("seed"), option("path"), option("replay-path")];
  const started = performance.now();
  const verdict = await runSchedules({
    ground: () => new MemoryGround(),
    schedules: Number(option("schedules") ?? 10_000),
    ...seed !== undefined && { seed: Number(seed) },
    ...path !== undefined && { path },
    ...replayPath !== undefined && { replayPath },
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`model: ${verdict.schedules} schedules, seed ${verdict.seed}, ${seconds} s`);
  if (verdict.failure !== undefined) console.error(verdict.failure);
  return verdict.failure === undefined ? 0 : 1;
}

main(Deno.args).then(Deno.exit);
