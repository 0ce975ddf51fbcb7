// deno-lint-ignore-file no-console -- a task that prints
/**
 * `deno task ok`: the one gate. Format, lint, types, and every test that needs neither root nor Linux, import direction among
 * them. Stops at the first step that fails.
 */
const ROOT = new URL("../../", import.meta.url).pathname;

async function main(): Promise<number> {
  const sources = await collect(ROOT, (name) => name.endsWith(".ts"));
  const tests = sources.filter((path) => path.endsWith("_test.ts") && !path.endsWith("_linux_test.ts"));
  const steps: [string, string[]][] = [
    ["format", ["fmt", "--check", "--quiet"]],
    ["lint", ["lint", "--quiet"]],
    ["types", ["check", "--quiet", ...sources]],
    ["tests", ["test", "--quiet", "--no-check", "-A", ...tests]],
  ];
  for (const [name, args] of steps) {
    console.error(`ok: ${name}`);
    const { code } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null" }).spawn().status;
    if (code !== 0) return code;
  }
  return 0;
}

async function collect(directory: string, wanted: (name: string) => boolean): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    if (/^(\..*|dist|node_modules)$/.test(name)) continue;
    if (isDirectory) found.push(...await collect(`${directory}${name}/`, wanted));
    else if (wanted(name)) found.push(directory + name);
  }
  return found.sort();
}

main().then(Deno.exit);
