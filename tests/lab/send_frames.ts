/**
 * Sends frames on a link of the network namespace that it runs in: `deno run -A send_frames.ts LINK`, one frame in hexadecimal for
 * each line of standard input.
 */
import { FrameSender } from "./raw_frames.ts";

async function main(link: string): Promise<void> {
  const lines = (await new Response(Deno.stdin.readable).text()).split("\n").filter((line) => line !== "");
  using sender = new FrameSender(link);
  for (const line of lines) {
    sender.sendFrame(Uint8Array.from(line.match(/../g) ?? [], (byte) => parseInt(byte, 16)));
  }
}

main(Deno.args[0] ?? "eth0");
