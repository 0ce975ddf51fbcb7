/** The machine's own processes. */
import type { Argv, CommandResult, CommandRunner, LineSource, RunOptions } from "./command_runner.ts";
import { killChild, spawnChild } from "./_child.ts";
import { ProcessConversation } from "./_conversation.ts";
import { followProcess } from "./_following.ts";
import { Slots } from "./_slots.ts";

export interface SystemRunnerOptions {
  /** How many one-shot processes may run at once; more calls wait their turn. Default 16. */
  readonly maxProcesses?: number;
  /** A process that writes more than this many bytes to one of its outputs is killed. Default 16 MiB. */
  readonly maxOutputBytes?: number;
}

const DEFAULT_MAX_PROCESSES = 16;
const DEFAULT_MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * @returns a runner that starts real processes; conversations and followed ones are not counted among the one-shot ones
 */
export function createSystemRunner(options: SystemRunnerOptions = {}): CommandRunner & LineSource {
  const slots = new Slots(options.maxProcesses ?? DEFAULT_MAX_PROCESSES);
  const maxBytes = options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
  return {
    run: (argv, runOptions = {}) => slots.use(() => runToEnd(argv, { ...runOptions, maxBytes })),
    converse: (protocol) => new ProcessConversation(protocol, maxBytes),
    follow: followProcess,
  };
}

/**
 * The watchdog is our own: `Deno.Command.output({ signal })` has ignored its signal in some releases
 * (denoland/deno#33335). Whatever goes wrong ends in the same way: kill, close the pipes, wait for the status. So no
 * process is left unreaped, and a grandchild that inherited the pipes cannot hold the call open.
 */
async function runToEnd(argv: Argv, options: RunOptions & { maxBytes: number }): Promise<CommandResult> {
  const { stdin, env = {}, timeoutMs = DEFAULT_TIMEOUT_MS, maxBytes } = options;
  const input = stdin === undefined ? "null" : "piped";
  const child = spawnChild(argv, { stdin: input, stdout: "piped", stderr: "piped", env });
  const stop = new AbortController();
  const stopBecause = (state: string): void => stop.abort(new Error(`Cannot run ${argv.join(" ")}: ${state}`));
  stop.signal.addEventListener("abort", () => killChild(child), { once: true });
  const watchdog = setTimeout(() => stopBecause(`still running after ${timeoutMs} ms, killed`), timeoutMs);
  const limit = { maxBytes, signal: stop.signal, exceeded: () => stopBecause(`wrote over ${maxBytes} bytes, killed`) };
  try {
    const [stdout, stderr, status] = await Promise.all([
      collect(child.stdout, limit),
      collect(child.stderr, limit),
      child.status,
      stdin === undefined ? undefined : feed(child.stdin, { text: stdin, signal: stop.signal }),
    ]);
    stop.signal.throwIfAborted();
    return { code: status.code, stdout, stderr };
  } finally {
    clearTimeout(watchdog);
  }
}

/** Never rejects: what goes wrong with a pipe shows in the process's status or in the signal. */
async function collect(
  stream: ReadableStream<Uint8Array>,
  limit: { maxBytes: number; signal: AbortSignal; exceeded: () => void },
): Promise<string> {
  const reader = stream.getReader();
  limit.signal.addEventListener("abort", () => void reader.cancel().catch(() => {}), { once: true });
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    if (done || value === undefined) return text + decoder.decode();
    bytes += value.length;
    if (bytes > limit.maxBytes) limit.exceeded();
    else text += decoder.decode(value, { stream: true });
  }
}

/** Never rejects: a process need not read its input to the end. */
async function feed(stream: WritableStream<Uint8Array>, input: { text: string; signal: AbortSignal }): Promise<void> {
  const writer = stream.getWriter();
  input.signal.addEventListener("abort", () => void writer.abort().catch(() => {}), { once: true });
  try {
    await writer.write(new TextEncoder().encode(input.text));
    await writer.close();
  } catch {
    await writer.abort().catch(() => {});
  }
}
