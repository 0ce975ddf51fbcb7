/** Just enough of the ustar format (POSIX.1-1988, section 10.1.1) for an image. */

/** One member of an archive. */
export interface TarEntry {
  /** At most 100 bytes, without a leading slash. */
  readonly path: string;
  readonly mode: number;
  /** A file's content, or the target of a symbolic link; absent: a directory. */
  readonly content?: Uint8Array<ArrayBuffer>;
  readonly linkTarget?: string;
}

const BLOCK = 512;

/** @returns the archive; everything in it belongs to root and is of 1970, so that the same entries give the same bytes */
export function renderTar(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  const parts = entries.flatMap((entry) => [renderHeader(entry), padded(entry.content ?? new Uint8Array())]);
  return concat([...parts, new Uint8Array(2 * BLOCK)]);
}

function renderHeader({ path, mode, content, linkTarget = "" }: TarEntry): Uint8Array<ArrayBuffer> {
  if (path.length > 100) throw new Error(`Cannot archive ${path}: its path is longer than 100 bytes`);
  const header = new Uint8Array(BLOCK);
  const put = (offset: number, text: string): void => header.set(new TextEncoder().encode(text), offset);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\0`;
  put(0, path);
  put(100, octal(mode, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(content?.length ?? 0, 11));
  put(136, octal(0, 11));
  put(148, " ".repeat(8));
  put(156, linkTarget !== "" ? "2" : content === undefined ? "5" : "0");
  put(157, linkTarget);
  put(257, "ustar\x0000");
  put(148, octal(header.reduce((sum, byte) => sum + byte, 0), 6));
  return header;
}

function padded(content: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(Math.ceil(content.length / BLOCK) * BLOCK);
  block.set(content);
  return block;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
