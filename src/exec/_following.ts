import type { Argv, Hearing } from "./command_runner.ts";
import { killChild, spawnChild } from "./_child.ts";

/** Milliseconds to let lines gather in the pipe: one wake-up for a burst, not one for each line. */
const GATHER_MS = 50;
/** A chunk of so many bytes may have filled the pipe: the writer must not wait. */
const FULL_BYTES = 16 * 1024;
/** Longer lines are heard in pieces. */
const MAX_LINE = 64 * 1024;

/** See LineSource. */
export async function followProcess(argv: Argv, { signal, hear }: Hearing): Promise<string> {
  const child = spawnChild(argv, { stdin: "null", stdout: "piped", stderr: "piped" });
  const kill = (): void => killChild(child);
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  try {
    const outputs = [child.stdout, child.stderr].map((stream) => hearLines(stream, { signal, hear }));
    const [status] = await Promise.all([child.status, ...outputs]);
    return status.signal === null ? `it ended with exit code ${status.code}` : `it was ended by ${status.signal}`;
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

/** Never rejects: what goes wrong with a pipe shows in the process's status. */
async function hearLines(stream: ReadableStream<Uint8Array>, { signal, hear }: Hearing): Promise<void> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    if (done || value === undefined) break;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE) [rest] = ["", lines.push(rest)];
    if (!signal.aborted) lines.forEach(hear);
    if (value.length < FULL_BYTES) await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
  }
  if (rest !== "" && !signal.aborted) hear(rest);
}
