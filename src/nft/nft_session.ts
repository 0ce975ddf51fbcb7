/**
 * The way to nft. What is long goes through one-shot `nft -f -` (2-4 ms, more where the kernel has much to read back or to free);
 * a line goes through a conversation with `nft -i` (0.1 ms), which makes one transaction of it.
 */
import type { Argv, CommandResult, CommandRunner, Conversation } from "../exec/command_runner.ts";
import type { TransactionMark } from "./transaction_mark.ts";

export interface NftSessionOptions {
  readonly runner: CommandRunner;
  /** Absolute path of nft. */
  readonly nft: string;
  /** Signs what is changed, for whoever reads `nft monitor`; absent: nobody does. */
  readonly mark?: TransactionMark;
}

const TIMEOUT_MS = 10_000;
/** `nft -i` remembers every line that it was given: it is started anew after so many, or so many characters. */
const LINES_PER_PROCESS = 5000;
const CHARACTERS_PER_PROCESS = 1_000_000;

/** One conversation with nft, signed, and its one-shot siblings. Nothing is started before the first call. */
export class NftSession {
  /** Whether the persistent process that runs has been signed. */
  #signed = false;
  #conversation: Conversation;
  #linesSent = 0;
  #charactersSent = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: NftSessionOptions) {
    this.#conversation = this.#converse();
  }

  /** Runs the work after all work handed in before, whether that went well or not. The other calls do not wait by themselves. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  /**
   * Has one transaction done by the persistent process.
   *
   * @param line commands, with `;` between them
   * @returns what nft complained of, and then nothing took effect; empty when all of it did
   * @throws when nft died or hung: what took effect is unknown
   */
  async send(line: string): Promise<string> {
    // First, or the monitor tells of the line before it knows whose it is.
    await this.#signOnce();
    const complaints = await this.#tell(line);
    if (this.#isFull(line)) void this.inTurn(() => this.#startAnew());
    // A process that has died is started anew by the line itself, and a table that was missing may be there by now. Without a signature a monitor looks once too often, no more.
    if (complaints === "") await this.#signOnce();
    return complaints;
  }

  /**
   * Runs nft to its end.
   *
   * @throws when it cannot be started or hangs
   */
  async run(args: readonly string[], stdin?: string): Promise<{ argv: Argv; result: CommandResult }> {
    const argv: Argv = [this.options.nft, ...args];
    const options = stdin === undefined ? {} : { stdin, timeoutMs: TIMEOUT_MS };
    return { argv, result: await this.options.runner.run(argv, options) };
  }

  /** Has the text done in one transaction, which signs itself. */
  runFile(text: string): Promise<{ argv: Argv; result: CommandResult }> {
    return this.run(["-f", "-"], `${text}${this.options.mark?.once ?? ""}`);
  }

  /** Signs the persistent process once more, for a monitor that was not listening when it was started. Changes nothing, and starts none: a new one signs by itself. */
  async sign(): Promise<void> {
    if (this.#linesSent > 0) await this.#sign();
  }

  /** Ends the persistent process. */
  async close(): Promise<void> {
    await this.inTurn(() => this.#conversation.close());
  }

  async #signOnce(): Promise<void> {
    if (!this.#signed) await this.#sign().catch(() => {});
  }

  async #sign(): Promise<void> {
    if (this.options.mark !== undefined) this.#signed = await this.#tell(this.options.mark.process) === "";
  }

  #isFull(line: string): boolean {
    this.#charactersSent += line.length;
    return ++this.#linesSent % LINES_PER_PROCESS === 0 || this.#charactersSent > CHARACTERS_PER_PROCESS;
  }

  /**
   * After a line and not before the next one, for which somebody waits: where there are a thousand policies the old
   * process takes 20 ms to end, and the new one as long to read what is there, which its signature has it do.
   */
  async #startAnew(): Promise<void> {
    await this.#conversation.close();
    this.#conversation = this.#converse();
    this.#charactersSent = 0;
    this.#signed = false;
    await this.#signOnce();
  }

  #converse(): Conversation {
    const mark = (sequence: number): string => `flockmark${sequence}`;
    return this.options.runner.converse({
      argv: [this.options.nft, "-i"],
      markerLine: mark,
      // The line after the echo holds a caret below the end of the word.
      markerText: (sequence) => `${mark(sequence)}\n${" ".repeat(mark(sequence).length)}^\n`,
      timeoutMs: TIMEOUT_MS,
      started: () => (this.#signed = false),
    });
  }

  /** @returns what nft complained of; empty when all went well */
  async #tell(line: string): Promise<string> {
    const answer = await this.#conversation.send([line]);
    // The last line is the marker's own complaint.
    return answer.split("\n").slice(0, -2).join("\n");
  }
}
