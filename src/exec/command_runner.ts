/** What a finished process left. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Written to the process's standard input, which is then closed. */
  readonly stdin?: string;
  /** Variables that it gets besides those of every child. */
  readonly env?: Readonly<Record<string, string>>;
  /** After this many milliseconds the process is killed and the call rejects. Default 10 000. */
  readonly timeoutMs?: number;
}

/** An absolute path and its arguments. */
export type Argv = readonly [string, ...string[]];

/** A process that stays, and answers one block of lines at a time. */
export interface Conversation {
  /**
   * Writes the lines and waits for the process to have done them all. Calls queue; each has the process to itself.
   *
   * @returns what the process wrote to standard error meanwhile, without the marker that ends the answer
   * @throws when the process died or did not answer within the time-out; it is then started anew for the next call, and
   *   how many of the lines took effect is unknown
   */
  send(lines: readonly string[]): Promise<string>;
  /** Ends the process and waits for its end. Idempotent. */
  close(): Promise<void>;
}

/** How to tell that a conversing process has done everything up to here. */
export interface ConversationProtocol {
  readonly argv: Argv;
  /** A line that changes nothing and makes the process write the mark to standard error. */
  markerLine(sequence: number): string;
  /**
   * The text that the marker line causes, at the end of standard error; `line` is its 1-based number of all lines
   * written.
   */
  markerText(sequence: number, line: number): string;
  /** Milliseconds for one answer. */
  readonly timeoutMs: number;
  /** Called whenever a process is started, before it hears anything. Must not throw. */
  started?(): void;
}

/** What becomes of a process that is followed. */
export interface Hearing {
  /** Ends the process. */
  readonly signal: AbortSignal;
  /** Gets each line that the process prints, to either output, without its newline. Must not throw. */
  hear(line: string): void;
}

/** The way to processes that print for as long as they live. */
export interface LineSource {
  /**
   * Runs a process until it ends by itself or the signal is aborted; then it is killed. Reaped when this resolves.
   *
   * @returns how it ended, for a reader
   * @throws when it cannot be started
   */
  follow(argv: Argv, hearing: Hearing): Promise<string>;
}

/**
 * The only way to a process. Everybody who needs one is handed this. Environment of a child: `LC_ALL=C`,
 * `HOME=/dev/null` and nothing else.
 */
export interface CommandRunner {
  /**
   * Runs a process to its end.
   *
   * @returns its exit code and output, whatever the code
   * @throws when it cannot be started or did not end in time
   */
  run(argv: Argv, options?: RunOptions): Promise<CommandResult>;
  /** Starts a conversation; the process itself starts with the first call. */
  converse(protocol: ConversationProtocol): Conversation;
}

/** Thrown where a process ended badly; carries what it wrote. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";

  constructor(readonly argv: Argv, readonly result: CommandResult) {
    super(
      `Cannot run ${argv.join(" ")}: exit code ${result.code}, ${JSON.stringify(result.stderr.trim().slice(0, 500))}`,
    );
  }
}

/** @returns the result when its exit code is 0. @throws CommandFailed otherwise */
export function expectSuccess(argv: Argv, result: CommandResult): CommandResult {
  if (result.code !== 0) throw new CommandFailed(argv, result);
  return result;
}
