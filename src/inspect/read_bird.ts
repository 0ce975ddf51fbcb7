import type { BirdReply } from "../bird/bird_reply.ts";
import { ReplyReader } from "../bird/bird_reply.ts";
import { parseSessions } from "../bird/parse_sessions.ts";
import type { SessionState } from "../bird/bird_driver.ts";
import type { CommandRunner } from "../exec/command_runner.ts";
import { BIRD_SOCKET, BIRDC } from "../paths/paths.ts";
import { Silent } from "./sources.ts";

/** BIRD answers at once, or does not answer at all. Milliseconds. */
const TIMEOUT_MS = 3_000;

/**
 * Asks BIRD by way of `birdc -r`, which can do nothing but show; `-v` makes it print BIRD's codes.
 *
 * @param question `show protocols all`
 * @throws Silent when BIRD does not answer
 */
export async function askBird(runner: Pick<CommandRunner, "run">, question: string): Promise<BirdReply> {
  const argv = [BIRDC, "-r", "-v", "-s", BIRD_SOCKET, ...question.split(" ")] as const;
  const { code, stdout, stderr } = await runner.run(argv, { timeoutMs: TIMEOUT_MS }).catch(silentIfStuck);
  const said = (stderr.trim() || stdout.trim()).split("\n").at(-1) ?? "";
  if (code !== 0) throw /Permission denied/.test(said) ? new Error(said) : new Silent(said);
  const reply = parseReply(stdout);
  if (reply.code >= 8000) throw new Error(reply.lines.map(({ text }) => text).join("; "));
  return reply;
}

/** @returns the sessions that BIRD has. @throws when it does not answer */
export async function readBirdSessions(runner: Pick<CommandRunner, "run">): Promise<readonly SessionState[]> {
  return parseSessions(await askBird(runner, "show protocols all"));
}

/** A BIRD that hangs takes the connection, and says nothing. */
function silentIfStuck(error: unknown): never {
  const state = error instanceof Error ? error.message : String(error);
  throw /still running/.test(state) ? new Silent(`no answer in ${TIMEOUT_MS / 1000} s`) : error;
}

/** What birdc prints before the answer: BIRD's greeting, and that it may only show. */
const PREAMBLE = /^(?:0001 |0016 ).*\n/gm;
/** The end of an answer that is a success, which birdc does not print. */
const END = "0000 \n";

function parseReply(stdout: string): BirdReply {
  const [reply] = new ReplyReader().push(new TextEncoder().encode(stdout.replace(PREAMBLE, "") + END));
  if (reply === undefined) throw new Error("Cannot read what birdc prints: no answer in it");
  return reply;
}
