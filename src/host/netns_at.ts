/** What is at the path of a network namespace. */
export interface NetnsAt {
  /** Whether the path leads on to another. */
  readonly isLink: boolean;
  /** Device and inode: the same text, the same namespace. */
  readonly id: string;
}

/** @returns undefined when nothing is there, or where that cannot be told: below /proc all of them are links of its own kind */
export function netnsAt(path: string): NetnsAt | undefined {
  if (path.startsWith("/proc/")) return undefined;
  try {
    const { isSymlink, dev, ino } = Deno.lstatSync(path);
    return { isLink: isSymlink, id: `${dev}:${ino}` };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
