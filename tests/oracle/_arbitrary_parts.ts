/** What the random objects of the API have in common. */
import fc from "fast-check";
import { KEYS, NAMESPACES, PORTS, VALUES } from "./universe.ts";

/** Absent three times as often as null: that is how objects are. */
export function maybe<T>(present: fc.Arbitrary<T>, weight = 4): fc.Arbitrary<T | null | undefined> {
  return fc.oneof(
    { weight, arbitrary: present },
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constant(null) },
  );
}

/** Leaves out what is undefined, as JSON does. */
export function object<T extends object>(
  fields: { [K in keyof T]-?: fc.Arbitrary<T[K] | undefined> },
): fc.Arbitrary<T> {
  const all: Record<string, fc.Arbitrary<unknown>> = { ...fields };
  return fc.record(all).map((record) => withoutAbsent(record) as T);
}

function withoutAbsent(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

/** Mostly what makes sense; once in so many times what does not. */
export function rarely<T>(
  oneIn: number,
  { usual, odd }: { usual: fc.Arbitrary<T>; odd: fc.Arbitrary<T> },
): fc.Arbitrary<T> {
  return fc.oneof({ weight: oneIn - 1, arbitrary: usual }, { weight: 1, arbitrary: odd });
}

export const namespace = fc.constantFrom(...NAMESPACES);
export const labelKey = fc.constantFrom(...KEYS);
export const labelValue = fc.constantFrom(...VALUES);
export const labels: fc.Arbitrary<Record<string, string>> = object(
  Object.fromEntries(KEYS.map((name) => [name, fc.option(labelValue, { nil: undefined, freq: 3 })])),
);
/** As the API writes it; without one it is TCP. */
export const protocol = maybe(fc.constantFrom("TCP", "UDP", "SCTP"));
export const portNumber = fc.constantFrom(...PORTS);
export const nothing = fc.constant(undefined);
