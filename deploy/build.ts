/**
 * Makes the one executable: `build.ts [--compile-only] [--output FILE]`, by default dist/flock.
 *
 * With a denort (download, cache, DENORT_BIN) it is a file of `deno compile`, else a launcher with the same permissions;
 * `--compile-only` never falls back. The launcher's bundles lie beside it in lib/.
 */
import { bundle } from "./bundle.ts";
import { refuseOrdinaryDeno } from "./compile.ts";
import { type Made, makeExecutable } from "./make_executable.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

interface BuildOptions {
  readonly compileOnly: boolean;
  readonly output: string;
}

async function build({ compileOnly, output }: BuildOptions): Promise<void> {
  await refuseOrdinaryDeno();
  const directory = output.slice(0, output.lastIndexOf("/"));
  await Deno.mkdir(directory, { recursive: true });
  const staging = await Deno.makeTempDir({ dir: directory, prefix: "lib.new." });
  try {
    report(output, await makeExecutable(await bundle(ROOT, staging), { compileOnly, output }));
  } finally {
    await Deno.remove(staging, { recursive: true }).catch(() => undefined);
  }
}

function report(output: string, made: Made): void {
  if (made.form === "compiled") return say(`${output}: compiled executable (Deno ${Deno.version.deno})`);
  say(`${output}: NOT a compiled executable but a LAUNCHER for ${Deno.execPath()} with the same permissions,`);
  say(`because there is no denort: ${firstLines(made.because)}`);
}

function parseArguments(args: readonly string[]): BuildOptions {
  const at = args.indexOf("--output");
  const output = at < 0 ? `${ROOT}/dist/flock` : args[at + 1];
  const known = new Set(at < 0 ? ["--compile-only"] : ["--compile-only", "--output", output]);
  if (output === undefined || args.some((arg) => !known.has(arg))) {
    throw new Error(`Cannot build: usage is build.ts [--compile-only] [--output FILE], not ${args.join(" ")}`);
  }
  return { compileOnly: args.includes("--compile-only"), output: resolve(output) };
}

function resolve(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}

function firstLines(text: string): string {
  return text.split("\n").filter((line) => line.trim() !== "" && !/stack backtrace|<unknown>/i.test(line)).slice(0, 4)
    .join(" ");
}

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

build(parseArguments(Deno.args)).catch((error: unknown) => {
  say(`build: ${error instanceof Error ? error.message : String(error)}`);
  Deno.exit(1);
});
