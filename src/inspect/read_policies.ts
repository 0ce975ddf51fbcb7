import { CommandFailed, type CommandRunner } from "../exec/command_runner.ts";
import { NFT } from "../paths/paths.ts";
import { parsePolicyNames, type PolicyNames } from "../policy/policy_names.ts";
import { POLICY_TABLE } from "../policy/names.ts";
import { parseRuleset } from "../trace/parse_ruleset.ts";
import type { Ruleset } from "../trace/ruleset.ts";

export interface ListedPolicies {
  /** Absent: there is no such table. */
  readonly ruleset?: Ruleset;
  /** Empty where no agent has written any down. */
  readonly names: PolicyNames;
}

/** Of a thousand pods a listing takes seconds. Milliseconds. */
const TIMEOUT_MS = 20_000;

/**
 * Lists the table of the policies as the kernel has it.
 *
 * @param readNames what the agent wrote down of its names; rejects where there is nothing
 * @throws when nft fails, or prints what is no list
 */
export async function readPolicies(
  runner: Pick<CommandRunner, "run">,
  readNames: () => Promise<string>,
): Promise<ListedPolicies> {
  const argv = [NFT, "-j", "list", "table", ...POLICY_TABLE.split(" ")] as const;
  const [names, result] = await Promise.all([
    readNames().then((text) => parsePolicyNames(JSON.parse(text))).catch(() => ({ policies: [], sets: new Map() })),
    runner.run(argv, { timeoutMs: TIMEOUT_MS }),
  ]);
  if (result.code === 0) return { ruleset: parseRuleset(result.stdout), names };
  if (/No such file or directory/.test(result.stderr)) return { names };
  throw new CommandFailed(argv, result);
}
