// deno-lint-ignore-file no-console -- a program whose output is read
/**
 * Asks a responder, at an even rate over several flows: `deno run -A udp_load.ts ADDRESS PORT PER_SECOND FLOWS`. Prints `asking` before
 * the first request, and `answered` with the first answer. SIGTERM ends the asking; answers may come for another second, and a LoadReport as JSON is the last line.
 */
import { createSocket, type Socket } from "node:dgram";

/** What became of the requests. */
export interface LoadReport {
  readonly sent: number;
  readonly answered: number;
  /** Sent and never answered. */
  readonly lost: number;
  /** When the lost ones were sent, in milliseconds since the epoch. */
  readonly lostAt: readonly number[];
  /** name -> how many it answered */
  readonly by: Readonly<Record<string, number>>;
  /** The longest time from a request to its answer, in milliseconds. */
  readonly slowestMs: number;
}

/** How long a late answer is waited for. */
const LATE_MS = 1_000;

class Load {
  readonly #by = new Map<string, number>();
  // number of the request -> when it was sent
  readonly #waiting = new Map<number, number>();
  #sent = 0;
  #slowestMs = 0;

  constructor(private readonly flows: readonly Socket[]) {
    // An unreachable port shows in what is lost.
    for (const flow of flows) flow.on("message", (answer) => this.#take(`${answer}`)).on("error", () => {});
  }

  /** Sends whatever is due by now. */
  sendUpTo(total: number): void {
    for (; this.#sent < total; this.#sent++) {
      this.#waiting.set(this.#sent, performance.now());
      this.flows[this.#sent % this.flows.length]?.send(`${this.#sent}`, () => {});
    }
  }

  #take(answer: string): void {
    const [name = "", number = ""] = answer.split(" ");
    const sentAt = this.#waiting.get(Number(number));
    if (sentAt === undefined) return; // A second answer to the same.
    if (this.#by.size === 0) console.log("answered");
    this.#waiting.delete(Number(number));
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - sentAt);
    this.#by.set(name, (this.#by.get(name) ?? 0) + 1);
  }

  get report(): LoadReport {
    const lostAt = [...this.#waiting.values()].map((at) => performance.timeOrigin + at);
    const { size: lost } = this.#waiting;
    const by = Object.fromEntries(this.#by);
    return { sent: this.#sent, answered: this.#sent - lost, lost, lostAt, by, slowestMs: this.#slowestMs };
  }
}

async function main([address = "", port = "", perSecond = "", flows = ""]: readonly string[]): Promise<void> {
  const load = new Load(await Promise.all(Array.from({ length: Number(flows) }, () => connect(address, Number(port)))));
  console.log("asking");
  const start = performance.now();
  const timer = setInterval(() => load.sendUpTo(Number(perSecond) * (performance.now() - start) / 1000), 1);
  Deno.addSignalListener("SIGTERM", async () => {
    clearInterval(timer);
    await new Promise((resolve) => setTimeout(resolve, LATE_MS));
    console.log(JSON.stringify(load.report));
    Deno.exit();
  });
}

async function connect(address: string, port: number): Promise<Socket> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  await new Promise<void>((resolve) => socket.connect(port, address, resolve));
  return socket;
}

if (import.meta.main) main(Deno.args);
