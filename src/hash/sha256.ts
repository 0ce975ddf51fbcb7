/**
 * To load `node:crypto` takes twice as long as Deno's whole start, 35 ms of processor time, and who hashes nothing need
 * not: `flock inspect` with a living agent. WebCrypto would be at hand, but its thread makes a hash of 1 KB take nine
 * times as long.
 *
 * @returns the SHA-256, hexadecimal. Of a text: of its UTF-8
 */
export function sha256(data: string | Uint8Array): string {
  // deno-lint-ignore no-process-global -- to import it would load what this is to leave alone
  createHash ??= process.getBuiltinModule("node:crypto").createHash;
  return createHash("sha256").update(data).digest("hex");
}

let createHash: typeof import("node:crypto").createHash | undefined;
