/** Beyond this an age says more about the clock than about the thing. */
const MAX_CREDIBLE_AGE_MS = 24 * 3_600_000;

/**
 * The age of what was dated by the wall clock in an earlier life of the process; within one life the monotonic clock counts alone. A
 * wall clock may have been set meanwhile: what is dated in the future, or more than a day ago, counts as of just now.
 *
 * @param then wall clock, milliseconds since the epoch, as is `now`
 * @returns milliseconds
 */
export function credibleAge(then: number, now: number): number {
  const age = now - then;
  return age >= 0 && age <= MAX_CREDIBLE_AGE_MS ? age : 0;
}
