export const USAGE = `Usage: deno task soak --minutes N [--seed S] [--file PATH]

  --minutes N   how long pods come and go and things fail, more than 0; the end takes up to two minutes more
  --seed S      an integer from 0 to 4294967295 that decides what happens; default: a random one
  --file PATH   where every discrepancy goes, a line of JSON each; default: dist/soak.json
`;

export interface SoakArgs {
  readonly minutes: number;
  readonly seed: number;
  readonly file: string;
}

/** @returns undefined when the arguments are not as the usage says */
export function parseSoakArgs(
  args: readonly string[],
  defaults: Pick<SoakArgs, "seed" | "file">,
): SoakArgs | undefined {
  if (args.length % 2 !== 0) return undefined;
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i += 2) given.set(args[i] ?? "", args[i + 1] ?? "");
  const minutes = Number(given.get("--minutes"));
  const seed = Number(given.get("--seed") ?? defaults.seed);
  const known = [...given.keys()].every((name) => ["--minutes", "--seed", "--file"].includes(name));
  const sound = minutes > 0 && Number.isFinite(minutes) && Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32;
  return known && sound ? { minutes, seed, file: given.get("--file") ?? defaults.file } : undefined;
}
