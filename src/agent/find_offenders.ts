/**
 * Finds those of many that something will not take, by trying parts of them: a few tries for each offender, not one for
 * each of many.
 *
 * @param suspects none of them: it takes that
 * @param isRefused whether it refuses exactly these of them together
 * @returns each that it refuses by itself; empty when only several together are refused
 */
export async function findOffenders<T>(
  suspects: readonly T[],
  isRefused: (some: readonly T[]) => Promise<boolean>,
): Promise<T[]> {
  if (suspects.length === 0 || !(await isRefused(suspects))) return [];
  if (suspects.length === 1) return [...suspects];
  const middle = suspects.length >> 1;
  const first = await findOffenders(suspects.slice(0, middle), isRefused);
  return [...first, ...await findOffenders(suspects.slice(middle), isRefused)];
}
