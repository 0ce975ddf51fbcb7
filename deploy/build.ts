/**
 * Makes the one executable: `build.ts [--compile-only] [--output FILE]`, by default dist/flock.
 *
 * With a denort (download, cache, DENORT_BIN) it is a file of `deno compile`, else a launcher with the same permissions;
 * `--compile-only` never falls back. The launcher's bundles lie beside it in lib/.
 */
import { bundle, type Bundles } from "./bundle.ts";
import { compile, NoDenort, refuseOrdinaryDeno } from "./compile.ts";
import { writeLauncher } from "./launcher.ts";

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
    await make(await bundle(ROOT, staging), { compileOnly, output });
  } finally {
    await Deno.remove(staging, { recursive: true }).catch(() => undefined);
  }
}

async function make(bundles: Bundles, { compileOnly, output }: BuildOptions): Promise<void> {
  try {
    await compile(bundles, output);
    say(`${output}: compiled executable (Deno ${Deno.version.deno})`);
  } catch (error) {
    if (compileOnly || !(error instanceof NoDenort)) throw error;
    await writeLauncher(bundles, output);
    say(`${output}: NOT a compiled executable but a LAUNCHER for ${Deno.execPath()} with the same permissions,`);
    say(`because there is no denort: ${firstLines(error.message)}`);
  }
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
