import { type BirdReply, ReplyReader } from "./bird_reply.ts";

/** One connection to a control socket. Reads all the time, so that it learns of BIRD's end at once and not with the next question. */
export class Connection {
  readonly #conn: Deno.Conn;
  readonly #reader = new ReplyReader();
  #answer = Promise.withResolvers<BirdReply>();
  #open = true;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
    void this.#pump();
  }

  /** Connects and waits for the greeting. @param signal gives up; nothing stays open then */
  static async open(path: string, signal: AbortSignal): Promise<Connection> {
    const connection = new Connection(await Deno.connect({ transport: "unix", path }));
    await connection.#nextAnswer(signal);
    return connection;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** One question at a time; the caller sees to that. @param signal gives up, and the connection with it */
  async ask(command: string, signal: AbortSignal): Promise<BirdReply> {
    this.#answer = Promise.withResolvers();
    const [, reply] = await Promise.all([
      this.#conn.write(new TextEncoder().encode(`${command}\n`)),
      this.#nextAnswer(signal),
    ]);
    return reply;
  }

  /** Idempotent; a question that waits fails. */
  close(reason = new Error("connection closed")): void {
    if (!this.#open) return;
    this.#open = false;
    this.#conn.close();
    // Without a question waiting nobody listens, and nothing is wrong either.
    this.#answer.promise.catch(() => {});
    this.#answer.reject(reason);
  }

  /** An answer that comes after its question was given up would be taken for that of the next one: the connection goes. */
  #nextAnswer(signal: AbortSignal): Promise<BirdReply> {
    const giveUp = (): void => this.close(signal.reason);
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    return this.#answer.promise;
  }

  async #pump(): Promise<void> {
    const buffer = new Uint8Array(65536);
    try {
      for (let size = await this.#conn.read(buffer); size !== null; size = await this.#conn.read(buffer)) {
        this.#reader.push(buffer.subarray(0, size)).forEach((reply) => this.#answer.resolve(reply));
      }
      this.close(new Error("BIRD closed the connection"));
    } catch (error) {
      this.close(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
