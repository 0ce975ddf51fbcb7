import type { CommandRunner, Conversation, ConversationProtocol } from "./command_runner.ts";

/** A line that iproute2 refuses before it asks the kernel anything, and goes on after: it ends the answer to a block. */
const END_LINE = "route flush";
/**
 * Before its first neighbour ip lists all links once, to know their indices (ll_init_map()), and writes this when links came or went
 * meanwhile. No line has failed by that: a name that the listing missed it asks the kernel for.
 */
const TORN_LISTING = /^Dump was interrupted and may be inconsistent\.\n/gm;
const END_TEXT = '"ip route flush" requires arguments.\nCommand failed -:';

/**
 * How `ip -force -batch -` is talked to: it writes nothing for a line that succeeds, and for one that fails, at once and in order, what
 * is wrong and `Command failed -:` with the line's number. A line that does not even parse may end the process
 * (`invarg()` exits), so only checked words go in.
 *
 * @param ip absolute path of iproute2's ip
 */
export function ipBatchProtocol(ip: string): ConversationProtocol {
  return {
    argv: [ip, "-force", "-batch", "-"],
    markerLine: () => END_LINE,
    markerText: (_sequence, line) => `${END_TEXT}${line}\n`,
    timeoutMs: 10_000,
  };
}

interface Block {
  readonly lines: readonly string[];
  readonly done: PromiseWithResolvers<string>;
}

/**
 * A persistent `ip -batch`: blocks of lines that wait at the same time go to the kernel together.
 *
 * ip remembers the index of every name that a line mentions, for good. A name whose link was removed and made again would
 * still mean the old index: then `renew`.
 */
export class IpBatch {
  readonly #start: () => Conversation;
  #conversation: Conversation;
  #waiting: Block[] = [];
  #sending = false;

  constructor(runner: CommandRunner, ip: string) {
    this.#start = () => runner.converse(ipBatchProtocol(ip));
    this.#conversation = this.#start();
  }

  /** Goes on with a new process, one that remembers nothing; what is under way ends in the old one. */
  renew(): void {
    void this.#conversation.close();
    this.#conversation = this.#start();
  }

  /**
   * Runs the lines, all of them, whatever fails; a second time when another block has ended the process.
   *
   * @returns what ip wrote about those that failed; empty when none did
   * @throws when the process died; which lines took effect is unknown then
   */
  run(lines: readonly string[]): Promise<string> {
    const done = Promise.withResolvers<string>();
    this.#waiting.push({ lines, done });
    if (!this.#sending) void this.#drain();
    return done.promise;
  }

  async close(): Promise<void> {
    await this.#conversation.close();
  }

  async #drain(): Promise<void> {
    this.#sending = true;
    while (this.#waiting.length > 0) {
      const blocks = this.#waiting;
      this.#waiting = [];
      await this.#send(blocks);
    }
    this.#sending = false;
  }

  /** An end line stands between the blocks; the conversation's own marker is the last one's. */
  async #send(blocks: readonly Block[]): Promise<void> {
    const lines = blocks.flatMap((block, index) => index === 0 ? block.lines : [END_LINE, ...block.lines]);
    try {
      const answers = (await this.#conversation.send(lines)).replace(TORN_LISTING, "").split(
        /"ip route flush" requires arguments\.\nCommand failed -:\d+\n/,
      );
      blocks.forEach(({ done }, index) => done.resolve(answers[index] ?? ""));
    } catch (error) {
      await this.#sendApart(blocks, error);
    }
  }

  /**
   * One block's line may have ended the process: ip exits when the kernel refuses a neighbour (`exit(2)` in ipneigh_modify()), as on a
   * link that is deleted at that moment. That must fail no other block; each line may be repeated.
   */
  async #sendApart(blocks: readonly Block[], error: unknown): Promise<void> {
    if (blocks.length === 1) return blocks.forEach(({ done }) => done.reject(error));
    for (const block of blocks) await this.#send([block]);
  }
}
