/**
 * Runs `nft` inside a node, once for each request: `deno run -A nft_worker.ts SOCKET`. It serves one connection on that unix socket, a line of JSON for each request and one for
 * its answer.
 */
import { NFT } from "../../src/paths/paths.ts";
import { now } from "../e2e/_service_pod.ts";
import { runTimed } from "./_spawn.ts";
import { linesOf } from "./worker.ts";

export interface NftRequest {
  /** For its standard input. */
  readonly script: string;
}

export interface NftAnswer {
  /** The moment before it was started, in milliseconds since the epoch. */
  readonly at: number;
  /** Until its end is known. */
  readonly ms: number;
  readonly error?: string;
}

/** The program. */
export const NFT_PROGRAM: string = new URL(import.meta.url).pathname;

async function main([path = ""]: readonly string[]): Promise<void> {
  using listener = Deno.listen({ transport: "unix", path });
  const connection = await listener.accept();
  for await (const line of linesOf(connection.readable)) {
    const { script }: NftRequest = JSON.parse(line);
    const at = now();
    const answer: NftAnswer = await runTimed([NFT, "-f", "-"], { stdin: script })
      .then(({ ms }) => ({ at, ms }), (error) => ({ at, ms: 0, error: String(error) }));
    await connection.write(new TextEncoder().encode(`${JSON.stringify(answer)}\n`));
  }
}

if (import.meta.main) main(Deno.args);
