import { InvalidInput, type Problem } from "../fault/invalid_input.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Limits of a whole number. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Reads fields of unknown JSON and collects what is wrong, so that one error can name every problem. */
export class FieldReader {
  readonly problems: Problem[] = [];

  /** Records a problem. @param value any JSON; shown as text */
  refuse(field: string, value: unknown, rule: string): undefined {
    const text = typeof value === "string" ? value : JSON.stringify(value) ?? "";
    this.problems.push({ field, value: text, rule });
  }

  /** @throws InvalidInput when anything was refused */
  finish(): void {
    if (this.problems.length > 0) throw new InvalidInput(this.problems);
  }

  /** @returns the fields of an object; none when it is absent (or refused) */
  object(field: string, value: unknown): Fields {
    if (value === undefined || value === null) return {};
    if (isFields(value)) return value;
    this.refuse(field, value, "must be an object");
    return {};
  }

  /** @returns the items of a list with their paths; none when it is absent (or refused) */
  list(field: string, value: unknown, maxItems: number): { field: string; value: unknown }[] {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) this.refuse(field, value, "must be a list");
    else if (value.length > maxItems) {
      this.refuse(field, `${value.length} items`, `must have at most ${maxItems} items`);
    } else return value.map((item, index) => ({ field: `${field}[${index}]`, value: item }));
    return [];
  }

  /** @returns undefined when absent or refused */
  word<Word extends string>(field: string, value: unknown, words: readonly Word[]): Word | undefined {
    if (value === undefined || value === null) return undefined;
    return words.find((word) => word === value) ?? this.refuse(field, value, `must be one of ${words.join(", ")}`);
  }

  boolean(field: string, value: unknown, otherwise: boolean): boolean {
    if (value === undefined || value === null) return otherwise;
    if (typeof value !== "boolean") this.refuse(field, value, "must be true or false");
    return value === true;
  }

  /** @returns undefined when absent or refused */
  optionalInteger(field: string, value: unknown, bounds: Bounds): number | undefined {
    return value === undefined || value === null ? undefined : this.integer(field, value, bounds);
  }

  /** @returns undefined when refused */
  integer(field: string, value: unknown, { min, max }: Bounds): number | undefined {
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    return this.refuse(field, value, `must be a whole number from ${min} to ${max}`);
  }

  /** @returns undefined when refused */
  text(field: string, value: unknown): string | undefined {
    if (typeof value === "string" && value !== "") return value;
    return this.refuse(field, value, "must be a text that is not empty");
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
