/** What the README shows, for tests that do it word for word. */

const README = new URL("../../README.md", import.meta.url);

/**
 * @param language of the block's fence: `yaml`, `sh`
 * @param after words of the README that come once, before the block
 * @returns the text of the next block of that language, without the indentation that a list gives it. @throws when it is not there
 */
export async function readmeBlock(language: string, after: string): Promise<string> {
  return findBlock(await Deno.readTextFile(README), { language, after });
}

/** @returns the README's text */
export function readReadme(): Promise<string> {
  return Deno.readTextFile(README);
}

/** See `readmeBlock`. */
export function findBlock(
  markdown: string,
  { language, after }: { readonly language: string; readonly after: string },
): string {
  const parts = markdown.split(after);
  if (parts.length !== 2) throw new Error(`Cannot find what follows "${after}": it is there ${parts.length - 1} times`);
  const fence = new RegExp(`^( *)\`\`\`${language}\n([\\s\\S]*?)^\\1\`\`\`$`, "m");
  const [, indentation = "", text] = fence.exec(parts[1] ?? "") ?? [];
  if (text === undefined) throw new Error(`Cannot find a block of ${language} after "${after}": there is none`);
  return text.replaceAll(new RegExp(`^${indentation}`, "gm"), "");
}
