import { BOOT_ID_FILE } from "../paths/paths.ts";
import { replaceFile, splitPath } from "./replace_file.ts";
import type { StateFiles } from "./state_files.ts";

const UUID_LINE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$/;
const UUID_LINE_BYTES = 37;

/**
 * Names the present boot by a file on a tmpfs, because the kernel's own boot ID lies under /proc, which needs every permission. A file
 * that is missing, malformed, a link or somebody else's is replaced by a fresh one: allocations are then void, as after a reboot.
 *
 * @param options where the file is; default: its fixed path
 * @returns the boot's ID, the same until the tmpfs goes
 */
export async function readBootId(
  { files, path = BOOT_ID_FILE }: { files: StateFiles; path?: string },
): Promise<string> {
  const facts = await files.inspect(path);
  if (facts?.kind === "file" && facts.own && facts.bytes === UUID_LINE_BYTES) {
    const line = new TextDecoder().decode(await files.read(path));
    if (UUID_LINE.test(line)) return line.trimEnd();
  }
  const fresh = crypto.randomUUID();
  await files.makeDirectory(splitPath(path).directory);
  await replaceFile(files, { path, content: new TextEncoder().encode(`${fresh}\n`) });
  return fresh;
}
