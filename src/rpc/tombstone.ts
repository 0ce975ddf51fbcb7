/**
 * The note that the plugin leaves when a DEL finds no agent: one file per attachment in the tombstone directory, one JSON line each.
 * On the plugin's path, so it imports next to nothing.
 */
import { fnv1a64 } from "../hash/fnv.ts";
import { parseRequestId } from "./request_id.ts";

/** A DEL that nobody was there to do. */
export interface LeftTombstone {
  readonly containerId: string;
  readonly ifname: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number;
  /** The DEL's own, if it had one. */
  readonly requestId?: string;
}

/** What a tombstone's name looks like; anything else in the directory is none. */
export const TOMBSTONE_NAME = /^[0-9a-f]{16}\.json$/;

/** Longest tombstone in bytes; a longer file is none. */
export const MAX_TOMBSTONE_BYTES = 16 * 1024;

/** @returns the file's name: a hash, because a container ID may be of any length; the same for the same attachment, so that a repeated DEL replaces its note */
export function tombstoneFileName(containerId: string, ifname: string): string {
  return `${fnv1a64(`${containerId}/${ifname}`).toString(16).padStart(16, "0")}.json`;
}

/** @returns the file's text: one JSON line with its newline */
export function renderTombstone(tombstone: LeftTombstone): string {
  const { containerId, ifname, at, requestId } = tombstone;
  return `${JSON.stringify({ containerId, ifname, at, requestId })}\n`;
}

/** @returns the tombstone, or undefined when the text is not one; the identifiers are not checked beyond being text */
export function parseTombstone(text: string): LeftTombstone | undefined {
  if (text.length > MAX_TOMBSTONE_BYTES) return undefined;
  const raw = parseJsonObject(text);
  const { containerId, ifname, at } = raw ?? {};
  if (typeof containerId !== "string" || typeof ifname !== "string" || typeof at !== "number") return undefined;
  if (containerId === "" || ifname === "" || !Number.isSafeInteger(at) || at < 0) return undefined;
  const requestId = parseRequestId(raw?.requestId);
  return { containerId, ifname, at, ...(requestId && { requestId }) };
}

function parseJsonObject(text: string): Partial<Record<keyof LeftTombstone, unknown>> | undefined {
  try {
    const raw: unknown = JSON.parse(text);
    return typeof raw === "object" && raw !== null ? raw : undefined;
  } catch {
    return undefined;
  }
}
