import type { Argv, CommandResult, CommandRunner } from "../exec/command_runner.ts";
import { BIRD_SOCKET, BIRDC, IP, NFT } from "../paths/paths.ts";

/** Every argument vector that `flock inspect` may run, and there is no other: each reads, and changes nothing. */
export const READING_ARGVS: readonly RegExp[] = [
  exactly(IP, "-j -d address show"),
  exactly(IP, "-j -[46] route show proto 70"),
  exactly(IP, "-j neigh show nud permanent"),
  exactly(IP, "-j nexthop show"),
  exactly(NFT, "-j list tables"),
  exactly(NFT, "-j list table (?:inet|arp) flock"),
  exactly(NFT, "-j list table inet flock-policy"),
  exactly(NFT, "-j list map inet flock-policy (?:ingress|egress)_pods"),
  exactly(BIRDC, `-r -v -s ${BIRD_SOCKET} show protocols all`),
  exactly(BIRDC, `-r -v -s ${BIRD_SOCKET} show route for [0-9a-f.:]+`),
  exactly(BIRDC, `-r -v -s ${BIRD_SOCKET} show route where source = RTS_STATIC`),
  exactly(BIRDC, `-r -v -s ${BIRD_SOCKET} show route export peer[46]_[0-9a-f]+`),
];

function exactly(tool: string, words: string): RegExp {
  return new RegExp(`^${tool} ${words}$`);
}

/**
 * @returns a runner that runs what is on the list, and each of it once: two who ask the same get one answer
 */
export function createReadingRunner(runner: Pick<CommandRunner, "run">): CommandRunner {
  const asked = new Map<string, Promise<CommandResult>>();
  return {
    run: (argv) => {
      const text = textOf(argv);
      const answer = asked.get(text) ?? runner.run(argv);
      asked.set(text, answer);
      return answer;
    },
    converse: () => {
      throw new Error("Cannot converse: inspect only reads");
    },
  };
}

/** @throws when it is not on the list, or a word is none */
function textOf(argv: Argv): string {
  const text = argv.join(" ");
  const isListed = argv.every((word) => /^\S+$/.test(word)) && READING_ARGVS.some((each) => each.test(text));
  if (!isListed) throw new Error(`Cannot run ${text}: it is not among what inspect reads`);
  return text;
}
