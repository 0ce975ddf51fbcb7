/** One line of an answer: `NNNN-text`, `NNNN text`, or ` text` under the code of the line before. */
export interface ReplyLine {
  readonly code: number;
  readonly text: string;
}

/** One whole answer of BIRD's control socket. */
export interface BirdReply {
  /** The code of the last line: 0xxx success, 8xxx runtime error, 9xxx syntax error. */
  readonly code: number;
  /** At least one. */
  readonly lines: readonly ReplyLine[];
}

/**
 * Cuts the byte stream of a control socket into answers, however it comes in pieces. The protocol is that of BIRD's
 * `nest/cli.c`: `-` after the code means that more lines follow, a space ends the answer, a line that starts with a space repeats
 * the code before it. Lines that start with `+` are log messages, which only a client that asked for them gets.
 */
export class ReplyReader {
  readonly #decoder = new TextDecoder();
  #rest = "";
  #lines: ReplyLine[] = [];

  /** @returns the answers that these bytes completed. @throws when a line is none of the protocol's */
  push(bytes: Uint8Array): BirdReply[] {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#take(line) ?? []);
  }

  #take(line: string): BirdReply | undefined {
    if (line.startsWith("+")) return undefined;
    const previous = this.#lines.at(-1);
    const [, digits, mark, text = ""] = /^(?:(\d{4})([- ])| )(.*)$/s.exec(line) ?? [line];
    const code = digits === undefined ? previous?.code : Number(digits);
    if (code === undefined || (digits === undefined && !line.startsWith(" "))) throw notProtocol(line);
    this.#lines.push({ code, text });
    if (mark !== " ") return undefined;
    const reply = { code, lines: this.#lines };
    this.#lines = [];
    return reply;
  }
}

/** @returns the answer's text in one line, for messages */
export function summarize({ lines }: BirdReply): string {
  return lines.map(({ text }) => text).at(-1)?.trim() ?? "";
}

function notProtocol(line: string): Error {
  return new Error(`Cannot read the answer of BIRD: unexpected line ${JSON.stringify(line.slice(0, 64))}`);
}
