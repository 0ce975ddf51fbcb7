import type { Cell } from "./report.ts";

export function good(text: string): Cell {
  return { text, tone: "good" };
}

export function bad(text: string): Cell {
  return { text, tone: "bad" };
}

export function warn(text: string): Cell {
  return { text, tone: "warn" };
}

export function dim(text: string): Cell {
  return { text, tone: "dim" };
}

/** Of something that is looked at: `ok`, or what is wrong with it. */
export function judged(differences: readonly string[]): Cell {
  return differences.length === 0 ? good("ok") : bad(differences.join("; "));
}
