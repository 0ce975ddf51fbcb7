/** What a directory entry is, without following it. */
export interface FileFacts {
  readonly kind: "file" | "directory" | "symlink" | "other";
  /** Whether it belongs to the user that flock runs as. */
  readonly own: boolean;
  readonly bytes: number;
  /** Wall clock, milliseconds since the epoch; 0 where the file system has no such time. */
  readonly modifiedAt: number;
}

/** The little that durable files need of a disk, one call per step that a crash can fall between. */
export interface StateFiles {
  /** @returns what the path itself is (a link is not followed), or undefined when there is nothing */
  inspect(path: string): Promise<FileFacts | undefined>;
  /** Makes a directory and its parents, mode 0700; an existing one is fine and keeps its mode. */
  makeDirectory(path: string): Promise<void>;
  /** @returns the names in a directory, in no order */
  list(directory: string): Promise<readonly string[]>;
  read(path: string): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Makes a new file, mode 0600, and resolves when its content is on the disk. On failure a part of it may remain.
   *
   * @throws when the path exists; with the `code` ENOSPC or EDQUOT when there is no room
   */
  create(path: string, content: Uint8Array<ArrayBuffer>): Promise<void>;
  /**
   * Gives a file a second name, in place of what has that name; not atomically: a crash may leave it unused. Does nothing when there is
   * no such file.
   */
  link(path: string, second: string): Promise<void>;
  /** Atomically; replaces what is there. */
  rename(from: string, to: string): Promise<void>;
  /** Resolves when the directory's entries are on the disk. */
  syncDirectory(path: string): Promise<void>;
  /** Removes a file or a link; one that is missing is fine. */
  remove(path: string): Promise<void>;
}
