import { printable } from "../fault/invalid_input.ts";

/** @returns the value as indented JSON in printable ASCII, with its last newline */
export function renderJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2).split("\n").map(printable).join("\n")}\n`;
}
