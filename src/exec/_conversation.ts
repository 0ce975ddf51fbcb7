import type { Conversation, ConversationProtocol } from "./command_runner.ts";
import { killChild, spawnChild } from "./_child.ts";

/** How long a process may take to end after its input was closed. */
const CLOSE_TIMEOUT_MS = 1000;

/** A conversation with a real process; a new one is started whenever the last one has died. */
export class ProcessConversation implements Conversation {
  #last: Promise<unknown> = Promise.resolve();
  #process: TalkingProcess | undefined;
  #closed = false;

  constructor(readonly protocol: ConversationProtocol, readonly maxBytes: number) {}

  send(lines: readonly string[]): Promise<string> {
    const answer = this.#last.then(() => this.#sendNow(lines));
    this.#last = answer.catch(() => {});
    return answer;
  }

  close(): Promise<void> {
    const ended = this.#last.then(() => this.#closeNow());
    this.#last = ended;
    return ended;
  }

  async #sendNow(lines: readonly string[]): Promise<string> {
    const name = this.protocol.argv.join(" ");
    if (this.#closed) throw new Error(`Cannot send to ${name}: the conversation is closed`);
    if (lines.some((line) => /[\n\r\0]/.test(line))) throw new Error(`Cannot send to ${name}: a line breaks`);
    if (this.#process === undefined || this.#process.ended) {
      this.#process = new TalkingProcess(this.protocol, this.maxBytes);
    }
    return await this.#process.ask(lines);
  }

  async #closeNow(): Promise<void> {
    this.#closed = true;
    await this.#process?.close();
  }
}

/** One life of the process. */
class TalkingProcess {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stderrReader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #reaped: Promise<void>;
  #ended = false;
  #sequence = 0;
  #linesWritten = 0;
  #stderr = "";
  #waiting: { mark: string; answered: (state: string | undefined) => void } | undefined;

  constructor(readonly protocol: ConversationProtocol, readonly maxBytes: number) {
    this.#child = spawnChild(protocol.argv, { stdin: "piped", stdout: "null", stderr: "piped" });
    protocol.started?.();
    this.#input = this.#child.stdin.getWriter();
    this.#stderrReader = this.#child.stderr.getReader();
    this.#reaped = this.#follow();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** @returns what the process wrote before the mark. @throws after having killed and reaped the process */
  async ask(lines: readonly string[]): Promise<string> {
    const failure = await this.#exchange(lines);
    if (failure === undefined) return this.#stderr.slice(0, this.#stderr.length - this.#mark().length);
    await this.#kill();
    const written = JSON.stringify(this.#stderr.slice(-500));
    throw new Error(`Cannot talk to ${this.protocol.argv.join(" ")}: ${failure}; it wrote ${written}`);
  }

  async #kill(): Promise<void> {
    killChild(this.#child);
    await this.#stderrReader.cancel().catch(() => {});
    await this.#reaped;
  }

  /** Closes the input, which ends the process; kills it when it does not. */
  async close(): Promise<void> {
    const watchdog = setTimeout(() => killChild(this.#child), CLOSE_TIMEOUT_MS);
    await this.#input.close().catch(() => {});
    await this.#reaped;
    clearTimeout(watchdog);
  }

  /** @returns undefined when the mark came, else what happened instead */
  async #exchange(lines: readonly string[]): Promise<string | undefined> {
    this.#sequence++;
    this.#linesWritten += lines.length + 1;
    this.#stderr = "";
    const { timeoutMs } = this.protocol;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#waiting = { mark: this.#mark(), answered: resolve };
    const watchdog = setTimeout(() => resolve(`no answer within ${timeoutMs} ms`), timeoutMs);
    const block = [...lines, this.protocol.markerLine(this.#sequence), ""].join("\n");
    // A write that fails is a process that ends: #follow says more about it.
    this.#input.write(new TextEncoder().encode(block)).catch(() => {});
    const failure = await promise;
    clearTimeout(watchdog);
    this.#waiting = undefined;
    return failure;
  }

  #mark(): string {
    return this.protocol.markerText(this.#sequence, this.#linesWritten);
  }

  /** Reads standard error to its end, then reaps the process. Never rejects. */
  async #follow(): Promise<void> {
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await this.#stderrReader.read().catch(() => ({ done: true, value: undefined }));
      if (done || value === undefined) break;
      this.#hear(decoder.decode(value, { stream: true }));
    }
    const { code } = await this.#child.status;
    this.#ended = true;
    await this.#input.abort().catch(() => {});
    this.#waiting?.answered(`it ended with exit code ${code}`);
  }

  #hear(text: string): void {
    if (this.#stderr.length + text.length > this.maxBytes) return this.#waiting?.answered("it writes too much");
    this.#stderr += text;
    if (this.#waiting && this.#stderr.endsWith(this.#waiting.mark)) this.#waiting.answered(undefined);
  }
}
