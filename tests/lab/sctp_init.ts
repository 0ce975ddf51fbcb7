/**
 * The first packet of an SCTP association (RFC 9260), which kernels without SCTP can send and see, though not answer.
 */

const INIT = 1;
const POLYNOMIAL = 0x82f63b78; // CRC32c, reversed

/** @returns an INIT chunk under its common header, checksum and all */
export function sctpInit(sourcePort: number, destinationPort: number): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(32);
  const view = new DataView(packet.buffer);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort); // the verification tag of an INIT is 0
  view.setUint8(12, INIT);
  view.setUint16(14, 20);
  view.setUint32(16, 1 + sourcePort); // the tag that answers would carry: not 0
  view.setUint32(20, 65536);
  view.setUint16(24, 1);
  view.setUint16(26, 1);
  view.setUint32(8, crc32c(packet), true);
  return packet;
}

/** @param packet from the common header on. @returns undefined when it is no INIT */
export function parseSctpInit(packet: Uint8Array): { sourcePort: number; destinationPort: number } | undefined {
  if (packet.length < 32 || packet[12] !== INIT) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  return { sourcePort: view.getUint16(0), destinationPort: view.getUint16(2) };
}

/** @returns of the packet whose checksum field is zero */
function crc32c(packet: Uint8Array): number {
  let crc = ~0;
  for (const byte of packet) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  }
  return ~crc >>> 0;
}
