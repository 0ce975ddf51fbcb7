import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { BirdControl } from "./bird_control.ts";
import { type BirdReply, summarize } from "./bird_reply.ts";

const SETTLE_POLL_MS = 10;
const SETTLE_LIMIT_MS = 2000;

/** Answers to `configure`, from BIRD's `doc/reply_codes`. */
const RECONFIGURED = 3;
const IN_PROGRESS = 4;
const QUEUED = 5;
const ACCEPTED: readonly number[] = [RECONFIGURED, IN_PROGRESS, QUEUED];
const BAD_CONFIGURATION = 8002;

/** BIRD has something against the text, and took none of it. */
export function isRefusal(reply: BirdReply | Error): reply is BirdReply {
  return !(reply instanceof Error) && reply.code === BAD_CONFIGURATION;
}

/** BIRD has taken the text as a whole, though sessions of the one before may still have to end. */
export function isAcceptance(reply: BirdReply | Error): reply is BirdReply {
  return !(reply instanceof Error) && ACCEPTED.includes(reply.code);
}

/** Waits for sessions of the configuration before to end; a peer that does not answer may delay that. */
export async function settle(
  answer: BirdReply,
  { control, clock, logger }: { control: BirdControl; clock: Clock; logger: Pick<Logger, "warn"> },
): Promise<void> {
  if (answer.code === RECONFIGURED) return;
  for (const end = clock.monotonic() + SETTLE_LIMIT_MS; clock.monotonic() < end; await clock.sleep(SETTLE_POLL_MS)) {
    const reply = await control.ask("show status").catch(() => undefined);
    if (reply === undefined || !summarize(reply).includes("in progress")) return;
  }
  logger.warn("BIRD still reconfigures", { afterMs: SETTLE_LIMIT_MS });
}
