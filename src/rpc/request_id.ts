/**
 * Every request has an id, by which one call is found in the plugin's error, the agent's log, the pod's Event and `flock inspect`. On the
 * plugin's path: imports nothing.
 */

const SIZE = 2 ** 48;
const DIGITS = 12;
const REQUEST_ID = /^[0-9a-f]{12}$/;

/** @returns twelve hexadecimal digits. They guard nothing, so they are of the generator that costs nothing. */
export function newRequestId(random: () => number = Math.random): string {
  return Math.floor(random() * SIZE).toString(16).padStart(DIGITS, "0");
}

/** @returns the id; undefined for anything that is none */
export function parseRequestId(raw: unknown): string | undefined {
  return typeof raw === "string" && REQUEST_ID.test(raw) ? raw : undefined;
}

/** @returns the text with the id at its end, where it does not name it already */
export function withRequestId(text: string, id: string | undefined): string {
  if (id === undefined || text.includes(id)) return text;
  return text === "" ? `request ${id}` : `${text}; request ${id}`;
}
