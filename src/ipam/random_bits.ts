/** A source of random numbers: `bits` random bits as an unsigned integer, 0 for no bits. */
export type RandomBits = (bits: number) => bigint;

/** The machine's own {@link RandomBits}, fit for what nobody should be able to guess. */
export function systemRandomBits(bits: number): bigint {
  const bytes = crypto.getRandomValues(new Uint8Array(Math.ceil(bits / 8)));
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return BigInt.asUintN(bits, value);
}
