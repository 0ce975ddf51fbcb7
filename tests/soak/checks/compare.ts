/** Lists of lines, what is against what must be. Pure. */

/**
 * @param allowed may be there, once
 * @returns one phrase for each line that is missing, too much, or there more often than it should be; sorted
 */
export function compare(
  what: string,
  actual: readonly string[],
  expected: readonly string[],
  allowed: ReadonlySet<string> = new Set(),
): string[] {
  const [have, want] = [countsOf(actual), countsOf(expected)];
  const missing = [...want.keys()].filter((item) => !have.has(item)).map((item) => `${item} is missing`);
  const extra = [...have.keys()].filter((item) => !want.has(item) && !allowed.has(item))
    .map((item) => `${item} is too much`);
  const often = [...have].filter(([item, count]) => count > (want.get(item) ?? 1))
    .map(([item, count]) => `${item} is there ${count} times`);
  return [...missing, ...extra, ...often].map((phrase) => `${what}: ${phrase}`).sort();
}

/** @returns one phrase for each item that comes more than once */
export function duplicates(items: readonly string[]): string[] {
  return [...countsOf(items)].filter(([, count]) => count > 1).map(([item]) => `${item} is given twice`);
}

// item -> how often it comes
function countsOf(items: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}
