/** One import of one source file by another, both as paths below the repository, `src/ip/address.ts`; packages as `npm:name`. */
export interface Import {
  readonly from: string;
  readonly to: string;
  /** Erased when run. */
  readonly typeOnly: boolean;
}

/** The repository's directory, with a slash. */
export const ROOT = new URL("../../", import.meta.url);

/** @returns the production sources: everything under src that is no test and no part of one, and main.ts */
export async function productionSources(): Promise<string[]> {
  const found = ["main.ts"];
  await collect("src", found);
  return found.filter((path) =>
    path.endsWith(".ts") && !/_test\.ts$|\/_fake_|_fixture\.ts$|_scenes\.ts$|\/testdata\//.test(path)
  ).sort();
}

/** @returns every import among what the files reach, as `deno info --json` sees it; what a missing file would import is left out */
export async function importsOf(files: readonly string[]): Promise<readonly Import[]> {
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(entry, files.map((file) => `import "${new URL(file, ROOT).href}";\n`).join(""));
    return parseInfo(await denoInfo(entry)).filter(({ from }) => from === "main.ts" || from.startsWith("src/"));
  } finally {
    await Deno.remove(entry);
  }
}

async function denoInfo(entry: string): Promise<string> {
  const config = new URL("deno.json", ROOT).pathname;
  const args = ["info", "--json", "--no-lock", "--config", config, entry];
  const { stdout, success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (!success) throw new Error(`Cannot read the module graph: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

interface InfoDependency {
  readonly code?: { readonly specifier?: string };
  readonly type?: { readonly specifier?: string };
}

interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly InfoDependency[];
  }[];
}

function parseInfo(json: string): Import[] {
  const info: Info = JSON.parse(json);
  return info.modules.flatMap(({ specifier, dependencies = [] }) =>
    dependencies.flatMap(({ code, type }) => {
      const to = code?.specifier ?? type?.specifier;
      return to === undefined ? [] : [{ from: shorten(specifier), to: shorten(to), typeOnly: code === undefined }];
    })
  );
}

function shorten(specifier: string): string {
  if (specifier.startsWith("npm:")) return specifier.replace(/^(npm:)\/?(@?[^@]+)@.*$/, "$1$2");
  return specifier.startsWith(ROOT.href) ? specifier.slice(ROOT.href.length) : specifier;
}

async function collect(directory: string, found: string[]): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(directory, ROOT))) {
    if (isDirectory) await collect(`${directory}/${name}`, found);
    else found.push(`${directory}/${name}`);
  }
}
