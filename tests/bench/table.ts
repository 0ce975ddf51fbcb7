import type { Figure } from "./figures.ts";

/** Colours a text, or leaves it as it is. */
export type Paint = (text: string, colour: "bold" | "dim" | "red" | "green") => string;

const HEADER = ["figure", "value", "floor", "x floor", "target", ""] as const;
const DECIMALS: Readonly<Record<Figure["unit"], number>> = {
  ...{ ms: 2, MiB: 0, KiB: 2, "Gbit/s": 1, "/s": 0, "%": 1, "": 1 },
};
/** Left of the others, which are numbers. */
const FIRST_WIDTH = 64;
const WIDTH = 11;

/** @returns the lines of a table; what does not hold is red */
export function renderTable(figures: readonly Figure[], paint: Paint): string[] {
  return [paint(row(HEADER), "bold"), ...figures.map((figure) => renderFigure(figure, paint))];
}

function renderFigure(figure: Figure, paint: Paint): string {
  const { what, value, unit, floor, target, holds } = figure;
  const show = (amount: number | null): string =>
    amount === null ? "" : `${amount.toFixed(DECIMALS[unit])} ${unit}`.trimEnd();
  const ratio = floor === null ? "" : (value / floor).toFixed(2);
  const verdict = holds === null ? "" : holds ? "holds" : "DOES NOT HOLD";
  const line = row([what, show(value), show(floor), ratio, show(target), verdict]);
  if (holds === null) return paint(line, "dim");
  return holds ? line.replace(/holds$/, paint("holds", "green")) : paint(line, "red");
}

function row([first = "", ...rest]: readonly string[]): string {
  const verdict = rest.at(-1) ?? "";
  return [first.padEnd(FIRST_WIDTH), ...rest.slice(0, -1).map((cell) => cell.padStart(WIDTH)), `  ${verdict}`].join("");
}
