/** A finished process, and how long it took. */
export interface Timed {
  /** From before its start until its end is known, in milliseconds. */
  readonly ms: number;
  readonly stdout: string;
}

export interface TimedOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/**
 * Runs a process to its end, with standard input from a pipe whatever it reads, so that all of them are timed alike.
 *
 * @throws when it fails, with all that it wrote
 */
export async function runTimed(argv: readonly string[], { env = {}, stdin = "" }: TimedOptions = {}): Promise<Timed> {
  const [program = "", ...args] = argv;
  const start = performance.now();
  const child = new Deno.Command(program, {
    args,
    clearEnv: true,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const fed = feed(child.stdin, stdin);
  const { code, stdout, stderr } = await child.output();
  const ms = performance.now() - start;
  await fed;
  const said = new TextDecoder().decode(stdout);
  if (code === 0) return { ms, stdout: said };
  throw new Error(`Cannot run ${argv.join(" ")}: exit code ${code}, ${said}${new TextDecoder().decode(stderr)}`);
}

/** Never rejects: an empty module ends without having read anything. */
async function feed(stream: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stream.getWriter();
  await writer.write(new TextEncoder().encode(text)).catch(() => {});
  await writer.close().catch(() => {});
}
