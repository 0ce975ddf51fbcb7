/** A test's title, or that of a step, and the case that it says it proves. */
export interface Proof {
  readonly id: string;
  readonly title: string;
  /** Of the file, from the project's root. */
  readonly path: string;
}

const ID = /^(?:T-[A-Z]+|NP)-\d+$/;
// "subject criterion (T-CNI-12)", "one (T-REL-25, T-CNI-19), and another (I9, T-CNI-20)"
const CLAIM = /\(([A-Z][A-Z\d-]*(?:, [A-Z][A-Z\d-]*)*)\)/g;
/** A statement that runs a test or a step under a title; one that is ignored, or another text of the file, proves nothing. */
const TITLE =
  /^[ \t]*(?:await )?(?:Deno\.test|(?:\w+\.)?step|scene)\(\s*("(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)(?!\s*,\s*\{[^{}]*\bignore\b)/gm;
const COMMENT = /\/\*[\s\S]*?\*\/|(?<=^|[\s;,])\/\/.*$/gm;

/** @returns what the titles of one file claim to prove; ids elsewhere claim nothing */
export function proofsIn(source: string, path: string): Proof[] {
  const titles = Array.from(source.replace(COMMENT, "").matchAll(TITLE), ([, text = ""]) => text.slice(1, -1));
  return titles.flatMap((title) =>
    [...title.matchAll(CLAIM)].flatMap(([, ids = ""]) =>
      ids.split(", ").filter((id) => ID.test(id)).map((id) => ({ id, title, path }))
    )
  );
}

/** @param root a directory, as a URL that ends with a slash. @returns what all tests below src and tests claim to prove */
export async function findProofs(root: URL): Promise<Proof[]> {
  const paths = (await Promise.all(["src", "tests"].map((directory) => collect(root, directory)))).flat().sort();
  const found = await Promise.all(
    paths.map(async (path) => proofsIn(await Deno.readTextFile(new URL(path, root)), path)),
  );
  return found.flat();
}

/** Titles are in tests and in the scenes that several tests share; never in what this folder says of cases. */
async function collect(root: URL, directory: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(`${directory}/`, root))) {
    const path = `${directory}/${name}`;
    if (isDirectory) found.push(...(path === "tests/ids" ? [] : await collect(root, path)));
    else if (/(?:_test|_scenes)\.ts$/.test(name)) found.push(path);
  }
  return found;
}
