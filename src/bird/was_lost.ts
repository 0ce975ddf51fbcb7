import type { SessionState } from "./bird_driver.ts";

/** What tells one session with a peer from the next. */
type Seen = Pick<SessionState, "established" | "since">;

/**
 * @param before what BIRD said of the peer's session the last time
 * @param now what it says now
 * @returns whether an established session has ended: also one that has a successor already, which only its beginning tells
 */
export function wasLost(before: Seen, now: Seen): boolean {
  return before.established && !(now.established && now.since === before.since);
}
