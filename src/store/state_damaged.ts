/** Thrown while a state file is read, when it is not what flock wrote; the message is the state of the file: `the file is empty`. */
export class StateDamaged extends Error {
  override readonly name = "StateDamaged";
}

/** A parsed JSON object of which nothing is known yet. */
export type RawRecord = Readonly<Record<string, unknown>>;

/** @throws StateDamaged when the value is no JSON object */
export function expectRecord(value: unknown, where: string): RawRecord {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new StateDamaged(`${where} is no object`);
  }
  return Object.fromEntries(Object.entries(value));
}

/** @throws StateDamaged when the value is no list */
export function expectArray(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new StateDamaged(`${where} is no list`);
  return value;
}

/** @throws StateDamaged when the value is no text, or an empty one */
export function expectText(value: unknown, where: string): string {
  if (typeof value !== "string" || value === "") throw new StateDamaged(`${where} is no text`);
  return value;
}

/** @throws StateDamaged when the value is no text; an empty one is */
export function expectAnyText(value: unknown, where: string): string {
  return value === "" ? value : expectText(value, where);
}

/** @throws StateDamaged when the value is no number */
export function expectTime(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new StateDamaged(`${where} is no time`);
  return value;
}

/** @throws StateDamaged when the value is no whole number from 0 on */
export function expectWhole(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new StateDamaged(`${where} is no whole number`);
  }
  return value;
}
