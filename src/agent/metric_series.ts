import type { Sample } from "../prometheus/metric_registry.ts";

/** @returns 1 when it is so, else 0 */
export function yes(holds: boolean): Sample[] {
  return [{ value: holds ? 1 : 0 }];
}

/** @returns one series of each, named by the label */
export function series(
  label: string,
  values: ReadonlyMap<string, number> | Readonly<Record<string, number>>,
): Sample[] {
  const entries = values instanceof Map ? [...values] : Object.entries(values);
  return entries.map(([name, value]) => ({ labels: { [label]: name }, value }));
}

/** @param options.all what is shown even where there is none of it: a series that appears with its first event hides that event */
export function countBy<T>(
  items: readonly T[],
  label: string,
  { of, all }: { of(item: T): string; all: readonly string[] },
): Sample[] {
  const counts = new Map(all.map((name) => [name, 0]));
  for (const item of items) counts.set(of(item), (counts.get(of(item)) ?? 0) + 1);
  return series(label, counts);
}
