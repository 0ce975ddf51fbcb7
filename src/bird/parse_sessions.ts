import { parseAddress } from "../ip/address.ts";
import type { SessionState } from "./bird_driver.ts";
import type { BirdReply, ReplyLine } from "./bird_reply.ts";

const PROTOCOL_LIST = 1002;
const PROTOCOL_DETAILS = 1006;

/**
 * Reads the answer to `show protocols all`.
 *
 * `since` is when BIRD's protocol came up or went down, from a `timeformat protocol` that names the zone; in any other format it
 * is left out, because nothing tells which day or zone is meant.
 */
export function parseSessions(reply: BirdReply): SessionState[] {
  const headers = reply.lines.flatMap(({ code }, index) => code === PROTOCOL_LIST ? [index] : []);
  return headers.flatMap((start, i) => parseSession(reply.lines.slice(start, headers[i + 1])) ?? []);
}

function parseSession([header, ...rest]: readonly ReplyLine[]): SessionState | undefined {
  const [, protocol, , , since] = header?.text.split(/\s+/) ?? [];
  const details = new Map(rest.filter(({ code }) => code === PROTOCOL_DETAILS).flatMap(parseDetail));
  const peer = parseAddress(details.get("Neighbor address") ?? "");
  const state = details.get("BGP state");
  if (protocol !== "BGP" || peer === undefined || state === undefined) return undefined;
  const lastError = details.get("Last error");
  const time = parseTime(since);
  return {
    peer,
    state,
    established: state === "Established",
    ...(time && { since: time }),
    ...(lastError && { lastError }),
  };
}

/** The session's own lines have two or four columns of indent and one word for a value; a channel's lines repeat no key of them. */
function parseDetail({ text }: ReplyLine): [string, string][] {
  const match = /^\s*([A-Z][^:]*):\s+(.*\S)\s*$/.exec(text);
  return match?.[1] !== undefined && match[2] !== undefined ? [[match[1], match[2]]] : [];
}

function parseTime(text: string | undefined): string | undefined {
  if (text === undefined || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}$/.test(text)) return undefined;
  const time = new Date(`${text.slice(0, -2)}:${text.slice(-2)}`);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}
