/** What is at the path of a network namespace. */
export interface NetnsAt {
  /** Whether the path leads on to another. */
  readonly isLink: boolean;
  /**
   * Device, inode and birth: the same text, the same namespace. The inode alone says nothing, for the kernel gives the number of a
   * namespace that is gone to the next one; the time is that at which this namespace got its inode, and nothing changes it.
   */
  readonly id: string;
}

/**
 * @returns undefined when nothing is there, or where that cannot be told: below /proc all of them are links of its own kind
 * @throws when the place may not be looked at
 */
export function netnsAt(path: string): NetnsAt | undefined {
  if (isOfProcess(path)) return undefined;
  try {
    const { isSymlink, dev, ino, mtime } = Deno.lstatSync(path);
    return { isLink: isSymlink, id: `${dev}:${ino}:${mtime?.getTime() ?? 0}` };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether the path names a process's own namespace, which no permission short of all of them lets anybody look at. */
export function isOfProcess(path: string): boolean {
  return path.startsWith("/proc/");
}
