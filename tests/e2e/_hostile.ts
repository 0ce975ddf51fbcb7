/** Text that somebody hopes will be more than text, and a record of what the agent really says to its tools. */
import { AGENT_SOCKET, BIRD, IP, NFT } from "../../src/paths/paths.ts";
import type { LabNode } from "../lab/node.ts";

/** In every hostile text: where it turns up, hostile text has come through. */
export const MARK = "h0stile";

const ACTIVE = [
  ...[
    "\n",
    "\r",
    "\t",
    "\0",
    ";",
    "{",
    "}",
    '"',
    "'",
    "\\",
    "$(id)",
    "`id`",
    "%s",
    "%d",
    "#",
    "|",
    "&",
    "*",
    "?",
    "~",
    "!",
  ],
  ...[
    "\u2028",
    "\u202e",
    "\u009b2J",
    "\x1b[2J",
    "\x7f",
    "\ud800",
    "\u{1f600}",
    " ",
    "/",
    "//",
    "/../",
    "=",
    ":",
    "@",
    ",",
  ],
];

/** No word of any language: each holds a character that means something to nft, BIRD, ip, a shell, a terminal or a path. */
export const HOSTILE_TEXTS: readonly string[] = [
  ...ACTIVE.flatMap((text) => [`${MARK}${text}`, `${text}${MARK}`, `a${text}${MARK}`]),
  ...[`-${MARK}`, `--${MARK}`, `../${MARK}`, `/${MARK}`, `.${MARK}`, `_${MARK}`, `${MARK}\nlink del dev up0`],
  MARK.repeat(150_000), // 1 MB
];

const RECORDS = "/run/record";

/**
 * Stands between the agent and a tool: writes down the words of every call, and what the tool is told on standard input, and lets both
 * through. The agent's children are known by their home.
 */
const RECORDER = `#!/bin/sh
real=${RECORDS}/real/\${0##*/}
[ "$HOME" = /dev/null ] || exec "$real" "$@"
for word in "$@"; do printf '%s\\n' "$word"; done >>${RECORDS}/words
case "$*" in
  *-batch*|*-f*|-i) tee -a ${RECORDS}/input | "$real" "$@" ;;
  *) exec "$real" "$@" ;;
esac
`;

/** What the agent told its tools. */
export interface ToolRecord {
  /** Each word of each call. */
  readonly words: readonly string[];
  /** Each line on standard input, of whichever tool. */
  readonly lines: readonly string[];
}

/** Puts recorders in the place of the tools, on this node alone; for the next agent that starts. */
export async function recordTools(node: LabNode): Promise<void> {
  await node.write(`${RECORDS}/recorder`, RECORDER);
  const script = `mkdir ${RECORDS}/real; : >${RECORDS}/words; : >${RECORDS}/input; chmod 755 ${RECORDS}/recorder
    for tool in ${
    [IP, NFT, BIRD].join(" ")
  }; do cp "$tool" ${RECORDS}/real/; mount --bind ${RECORDS}/recorder "$tool"; done`;
  await node.output(["sh", "-ec", script]);
}

/** @returns everything so far */
export async function readRecord(node: LabNode): Promise<ToolRecord> {
  const [words, lines] = await Promise.all(["words", "input"].map((name) => node.read(`${RECORDS}/${name}`)));
  return { words: (words ?? "").split("\n"), lines: (lines ?? "").split("\n") };
}

/** Speaks to the agent as the plugin does, but says whatever it is told. @returns what came back, until the agent closed */
export async function askAgent(node: LabNode, text: string | Uint8Array): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path: node.outside(AGENT_SOCKET) });
  let rest = typeof text === "string" ? new TextEncoder().encode(text) : text;
  try {
    while (rest.length > 0) rest = rest.subarray(await connection.write(rest));
    return await new Response(connection.readable).text();
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset) return "";
    throw error;
  }
}
