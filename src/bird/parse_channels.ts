import { type Address, parseAddress } from "../ip/address.ts";
import type { BirdReply } from "./bird_reply.ts";

/** How many routes a BGP session carries, by BIRD's count. */
export interface ChannelCounts {
  readonly peer: Address;
  /** BIRD's name of the protocol, `peer4_c0000201`. */
  readonly protocol: string;
  readonly established: boolean;
  /** Taken from the peer; absent while the session is down. */
  readonly imported?: number;
  /** Told to the peer; likewise. */
  readonly exported?: number;
}

const PROTOCOL_LIST = 1002;
const COUNTS = /^\s*Routes:\s+(\d+) imported,(?: \d+ filtered,)? (\d+) exported/;

/** Reads the answer to `show protocols all`, of which it takes the BGP sessions. */
export function parseChannels(reply: BirdReply): ChannelCounts[] {
  const headers = reply.lines.flatMap(({ code }, index) => code === PROTOCOL_LIST ? [index] : []);
  return headers.flatMap((start, i) =>
    parseProtocol(reply.lines.slice(start, headers[i + 1]).map(({ text }) => text)) ?? []
  );
}

function parseProtocol([header = "", ...rest]: readonly string[]): ChannelCounts | undefined {
  const [protocol = "", kind] = header.split(/\s+/);
  const peer = parseAddress(valueOf(rest, "Neighbor address") ?? "");
  if (kind !== "BGP" || peer === undefined) return undefined;
  const [, imported, exported] = rest.map((line) => COUNTS.exec(line)).find((match) => match !== null) ?? [];
  return {
    ...{ peer, protocol, established: valueOf(rest, "BGP state") === "Established" },
    ...(imported === undefined ? {} : { imported: Number(imported) }),
    ...(exported === undefined ? {} : { exported: Number(exported) }),
  };
}

function valueOf(lines: readonly string[], key: string): string | undefined {
  const line = lines.find((each) => each.trimStart().startsWith(`${key}:`));
  return line?.slice(line.indexOf(":") + 1).trim();
}
