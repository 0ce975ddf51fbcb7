/**
 * Measures inside a node: a resident process in its namespaces, so that no figure holds the way into them. It serves one connection, a line
 * of JSON for each run of a contender and one for its answer.
 */
import { type BenchPod, createContenders, type Executables } from "./contenders.ts";
import type { Samples } from "./contenders.ts";

/** One run, please. */
export interface RunRequest {
  readonly contender: string;
  readonly pod: BenchPod;
}

/** What came of it. */
export type RunAnswer = { readonly samples: Samples } | { readonly error: string };

/** The program. Its arguments: the socket to listen on, and the executables as JSON. */
export const WORKER_PROGRAM: string = new URL(import.meta.url).pathname;

async function main([socket = "", executables = ""]: readonly string[]): Promise<void> {
  const contenders = await createContenders(JSON.parse(executables) satisfies Executables);
  using listener = Deno.listen({ transport: "unix", path: socket });
  const connection = await listener.accept();
  for await (const line of linesOf(connection.readable)) {
    const { contender, pod }: RunRequest = JSON.parse(line);
    const run = contenders.get(contender);
    const answer: RunAnswer = await (run === undefined ? unknown(contender) : run(pod))
      .then((samples) => ({ samples }), (error) => ({ error: String(error) }));
    await connection.write(new TextEncoder().encode(`${JSON.stringify(answer)}\n`));
  }
}

function unknown(contender: string): Promise<never> {
  return Promise.reject(new Error(`Cannot measure ${contender}: there is no such contender`));
}

/** @returns the lines of a stream, without their ends */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

if (import.meta.main) main(Deno.args);
