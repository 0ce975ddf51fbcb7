const CHUNK_BYTES = 1 << 20;

/** @returns whether both files hold the same bytes. @throws when one cannot be read */
export async function sameContent(one: string, other: string): Promise<boolean> {
  const first = await Deno.open(one);
  try {
    const second = await Deno.open(other);
    try {
      return await compare(first, second);
    } finally {
      second.close();
    }
  } finally {
    first.close();
  }
}

async function compare(first: Deno.FsFile, second: Deno.FsFile): Promise<boolean> {
  for (;;) {
    const [a, b] = [await readChunk(first), await readChunk(second)];
    if (!sameBytes(a, b)) return false;
    if (a.length === 0) return true;
  }
}

/** A loop: by way of a function for each byte, a hundred megabytes take four seconds. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** @returns as much as there is, up to a chunk: the system may give less at a time */
async function readChunk(file: Deno.FsFile): Promise<Uint8Array> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  let length = 0;
  while (length < CHUNK_BYTES) {
    const read = await file.read(chunk.subarray(length));
    if (read === null) break;
    length += read;
  }
  return chunk.subarray(0, length);
}
