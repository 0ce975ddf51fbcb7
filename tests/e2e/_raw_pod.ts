/** A pod that is hostile: it sends whole frames, from any source, past its own kernel. */
import type { Address } from "../../src/ip/address.ts";
import { parseAddress } from "../../src/ip/address.ts";
import { HOST_MAC } from "../../src/link/host_mac.ts";
import { bytesOf, frameOf, type Packet, SENDER_MAC, withChecksum } from "../lab/raw_frames.ts";
import type { Vantage } from "../lab/probes.ts";

const SENDER = new URL("../lab/send_frames.ts", import.meta.url).pathname;
const ALL_NODES = { address: "ff02::1", mac: "33:33:00:00:00:01" };
/** Of the MAC address in a neighbour-discovery message (RFC 4861, 4.6.1), and of a prefix. */
const OPTION = { source: 1, target: 2, prefix: 3 };

/** Sends the frames on a link of the vantage, in order. */
export async function sendFrames(
  from: Vantage,
  frames: readonly Uint8Array[],
  { link = "eth0" }: { link?: string } = {},
): Promise<void> {
  const argv = [Deno.execPath(), "run", "-A", "--no-config", "--no-lock", "--no-check", SENDER, link];
  const { code, stderr } = await from.exec(argv, { stdin: `${frames.map((frame) => frame.toHex()).join("\n")}\n` });
  if (code !== 0) throw new Error(`Cannot send frames: ${stderr}`);
}

/** @returns the address. @throws when the text is none */
export function ip(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`Cannot read ${text}: no address`);
  return address;
}

/** A datagram without payload; checksum and all. */
export function udpFrame(from: string, to: string, port: number): Uint8Array {
  const body = new Uint8Array([0x80, 1, port >> 8, port & 0xff, 0, 8, 0, 0]);
  return frameOf(withChecksum({ from: ip(from), to: ip(to), protocol: 17, body }, 6), HOST_MAC);
}

/** Offers a default route for half an hour, and addresses of a prefix (RFC 4861, 4.2). */
export function routerAdvertisement(from: string, prefix: string): Uint8Array {
  const head = [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
  const lifetimes = [0, 0, 7, 8, 0, 0, 7, 8, 0, 0, 0, 0];
  return discovery(from, [...head, OPTION.prefix, 4, 64, 0xc0, ...lifetimes, ...bytesOf(ip(prefix)), ...sourceMac()]);
}

/** Says that everybody should send packets to `about` to the better next hop (RFC 4861, 4.5). */
export function redirect6(from: string, { about, via, to }: { about: string; via: string; to: string }): Uint8Array {
  const body = [137, 0, 0, 0, 0, 0, 0, 0, ...bytesOf(ip(via)), ...bytesOf(ip(about)), OPTION.target, 1, ...SENDER_MAC];
  return frameOf(icmp6(from, to, body), HOST_MAC);
}

/** The same for IPv4 (RFC 792), with the head of a packet from `to` to `about` as its cause. */
export function redirect4(from: string, { about, via, to }: { about: string; via: string; to: string }): Uint8Array {
  const cause = [
    0x45,
    0,
    0,
    28,
    0,
    0,
    0,
    0,
    64,
    17,
    0,
    0,
    ...bytesOf(ip(to)),
    ...bytesOf(ip(about)),
    0,
    7,
    0,
    7,
    0,
    8,
    0,
    0,
  ];
  const body = new Uint8Array([5, 1, 0, 0, ...bytesOf(ip(via)), ...cause]);
  const sum = body.reduce((total, byte, i) => total + (i % 2 === 0 ? byte << 8 : byte), 0);
  const folded = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
  body.set([folded >> 8, folded & 0xff], 2);
  return frameOf({ from: ip(from), to: ip(to), protocol: 1, body }, HOST_MAC);
}

/** Claims that the target has the sender's MAC address, unasked, whatever was known before (RFC 4861, 4.4). */
export function neighborAdvertisement(from: string, target: string): Uint8Array {
  return discovery(from, [136, 0, 0, 0, 0x20, 0, 0, 0, ...bytesOf(ip(target)), OPTION.target, 1, ...SENDER_MAC]);
}

function sourceMac(): number[] {
  return [OPTION.source, 1, ...SENDER_MAC];
}

/** To everybody on the link, with the hop limit of those who are on it. */
function discovery(from: string, body: readonly number[]): Uint8Array {
  return frameOf(icmp6(from, ALL_NODES.address, body), ALL_NODES.mac);
}

function icmp6(from: string, to: string, body: readonly number[]): Packet {
  return withChecksum({ from: ip(from), to: ip(to), protocol: 58, body: new Uint8Array(body), hopLimit: 255 });
}
