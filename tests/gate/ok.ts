// deno-lint-ignore-file no-console -- a task that prints
/**
 * `deno task ok`: the one gate. Format, lint, types, and every test that needs neither root nor Linux, import direction among
 * them. Stops at the first step that fails.
 */
const ROOT = new URL("../../", import.meta.url).pathname;
/** Some wait for servers while others work: two processes have done in half the time. */
const AT_ONCE = 2;

async function main(): Promise<number> {
  const sources = await collect(ROOT, (name) => name.endsWith(".ts"));
  const tests = sources.filter((path) => path.endsWith("_test.ts") && !path.endsWith("_linux_test.ts"));
  const steps: [string, string[]][] = [
    ["format", ["fmt", "--check", "--quiet"]],
    ["lint", ["lint", "--quiet"]],
    ["types", ["check", "--quiet", ...sources]],
  ];
  for (const [name, args] of steps) {
    console.error(`ok: ${name}`);
    const { code } = await deno(args).spawn().status;
    if (code !== 0) return code;
  }
  console.error("ok: tests");
  return Math.max(...await Promise.all(deal(tests).map(test)));
}

function deal(files: readonly string[]): string[][] {
  return Array.from({ length: AT_ONCE }, (_, hand) => files.filter((_, index) => index % AT_ONCE === hand));
}

/** Prints what the tests wrote when they have ended: two runs at once would mix their lines. @returns the exit code */
async function test(files: readonly string[]): Promise<number> {
  const { code, stdout, stderr } = await deno(["test", "--quiet", "--no-check", "-A", ...files]).output();
  for (const bytes of [stdout, stderr]) console.log(new TextDecoder().decode(bytes));
  return code;
}

function deno(args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT, stdin: "null" });
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
