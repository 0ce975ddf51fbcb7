// deno-lint-ignore-file no-console -- a program whose output is read
/**
 * Asks a responder once from each of many source ports: `deno run -A udp_flows.ts ADDRESS PORT FIRST COUNT`. Prints one JSON object:
 * source port -> who answered. A port is asked from again, a few times at most, when no answer comes.
 */
import { createSocket } from "node:dgram";

const AT_ONCE = 50;
/** A busy machine lets timers and answers wait alike. */
const ANSWER_MS = 1_000;
const ATTEMPTS = 5;

async function main([address = "", port = "", first = "", count = ""]: readonly string[]): Promise<void> {
  const answers = new Map<number, string>();
  const ports = Array.from({ length: Number(count) }, (_, index) => Number(first) + index).values();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (const from of ports) {
      const name = await ask({ address, port: Number(port), from });
      if (name !== undefined) answers.set(from, name);
    }
  }));
  console.log(JSON.stringify(Object.fromEntries(answers)));
}

async function ask(
  flow: { readonly address: string; readonly port: number; readonly from: number },
): Promise<string | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const name = await askOnce(flow);
    if (name !== undefined) return name;
  }
  return undefined;
}

function askOnce(
  { address, port, from }: { address: string; port: number; from: number },
): Promise<string | undefined> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const timer = setTimeout(() => resolve(undefined), ANSWER_MS);
  socket.on("message", (answer) => resolve(`${answer}`.split(" ")[0])).on("error", () => resolve(undefined));
  socket.bind(from, () => socket.send("which", port, address));
  return promise.finally(() => {
    clearTimeout(timer);
    return new Promise<void>((closed) => socket.close(() => closed()));
  });
}

if (import.meta.main) main(Deno.args);
