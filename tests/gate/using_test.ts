/**
 * The minifier of Deno 2.9 (esbuild) inlines a variable that is read once, also one declared by `using`, and then nobody disposes of it:
 * `using d = Deno.openSync(p); await d.sync()` becomes `await Deno.openSync(p).sync()`, which costs a file descriptor each time.
 */
import { assertEquals } from "@std/assert";
import { productionSources, ROOT } from "./_module_graph.ts";

/** @returns the declarations by `using` whose variable is read at most once before its function ends */
function inlinedIn(source: string): string[] {
  return [...source.matchAll(/^( *)(?:await )?using (\w+) = .*$/gm)].flatMap((match) => {
    const [line, indent = "", name = ""] = match;
    const [scope = ""] = source.slice(match.index + line.length).split(new RegExp(`^(?!${indent}).*\\S`, "m"));
    return (scope.match(new RegExp(`\\b${name}\\b`, "g")) ?? []).length < 2 ? [line.trim()] : [];
  });
}

Deno.test("no `using` of what is built is inlined by the minifier, for then nothing is disposed of", async () => {
  const sources = await productionSources();
  const texts = await Promise.all(sources.map((path) => Deno.readTextFile(new URL(path, ROOT))));
  const lost = sources.flatMap((path, index) => inlinedIn(texts[index] ?? "").map((line) => `${path}: ${line}`));
  assertEquals(lost, []);
});

Deno.test("a `using` that is read once is seen, one that is read twice or only kept is told apart", () => {
  const once = "function f() {\n  using a = open();\n  a.sync();\n}\nfunction a() { a; a; }\n";
  assertEquals(inlinedIn(once), ["using a = open();"]);
  assertEquals(inlinedIn(once.replace("a.sync();", "a.write();\n  a.sync();")), []);
});
