import { type Argv, type CommandRunner, expectSuccess } from "./command_runner.ts";

/** One object of a list that iproute2 printed; nothing assumed of its inside. */
export type IpObject = Readonly<Record<string, unknown>>;

const ATTEMPTS = 5;
/** What ip says when the table changed while the kernel was listing it: entries may be missing or twice. */
const INTERRUPTED = "Dump was interrupted";
const MISSING = /does not exist|Cannot find device|network namespace/;

/**
 * Runs `ip -j ...` and reads its list. On a node where links come and go, a listing is interrupted now and then, and then
 * repeated: what is missing from a torn one is not gone (containernetworking/plugins#1121).
 *
 * @returns the objects; undefined when ip says that the link or the network namespace is missing
 * @throws when ip fails otherwise, or every listing was interrupted
 */
export async function readIpJson(
  runner: Pick<CommandRunner, "run">,
  argv: Argv,
): Promise<readonly IpObject[] | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const result = await runner.run(argv);
    if (result.stderr.includes(INTERRUPTED)) continue;
    if (result.code !== 0 && MISSING.test(result.stderr)) return undefined;
    return parseList(expectSuccess(argv, result).stdout, argv);
  }
  throw new Error(`Cannot read ${argv.join(" ")}: interrupted ${ATTEMPTS} times`);
}

/** An empty object stands for what a filter left out. */
function parseList(text: string, argv: Argv): IpObject[] {
  const parsed: unknown = text.trim() === "" ? [] : JSON.parse(text);
  if (!Array.isArray(parsed)) throw new Error(`Cannot read ${argv.join(" ")}: it printed no list`);
  return parsed.filter((entry): entry is IpObject => typeof entry === "object" && entry !== null);
}
