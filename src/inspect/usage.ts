import { COMMANDS } from "./commands/commands.ts";

/** What `flock inspect --help` prints. */
export function inspectUsage(): string {
  const calls = COMMANDS.map(({ name, parameters }) => `${name} ${parameters}`.trim());
  const width = Math.max(...calls.map((call) => call.length));
  const lines = COMMANDS.map(({ summary }, index) => `  ${calls[index]?.padEnd(width)}  ${summary}`);
  return `Usage: flock inspect [COMMAND] [-o table|wide|json|yaml] [--watch]

Says what this node should be, what it is, every difference, and what to do about it. Changes nothing and asks no API
server: it goes by the agent's word, where there is none by the files that it has left, and by what ip, nft and birdc
show. To be run as root in the node's network namespace, where these are: in a pod of flock's, for instance.

${lines.join("\n")}

  -o FORM   table (the default), wide: with more columns, json, yaml
  --watch   again every two seconds, until it is ended
  --help    this text

Exit code: 0 all is well, 1 something is wrong, 2 could not look.
`;
}
