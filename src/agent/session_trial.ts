import type { BirdConfig } from "../bgp/bird_config.ts";
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";

/** How long a change may leave the node without any session before it is undone, in milliseconds. */
export const TRIAL_MS = 30_000;

/** What of BIRD's configuration makes sessions; the routes that they carry are not its business. */
export type SessionPart = Pick<BirdConfig, "routerId" | "peers">;

interface Known {
  readonly part: SessionPart;
  /** Tells parts apart. */
  readonly key: string;
}

interface InForce extends Known {
  /** By the monotonic clock. */
  readonly since: number;
  /** Whether it took the place of one that had a session. */
  readonly cameFromUp: boolean;
}

/**
 * Undoes a change of the sessions that BIRD has accepted but that loses every one of them: a mistyped address or password would cut the
 * node off for good, with nobody to tell. The last part that had an established session takes its place, with the routes of now; if
 * that gets none within the same time, the change was not to blame, and is what stays. Every other change starts anew.
 *
 * BIRD's own `configure timeout` does not do: any later `configure`, and each pod that comes or goes is one, cancels it.
 */
export class SessionTrial {
  #inForce: InForce | undefined;
  #isUp = false;
  /** The last part that had an established session. */
  #proven: Known | undefined;
  /** The part that is wanted and not in force. */
  #undone: string | undefined;
  /** The part that is wanted and stays, sessions or not. */
  #stays: string | undefined;

  constructor(private readonly deps: { readonly clock: Clock; readonly logger: Pick<Logger, "warn"> }) {}

  /** @param wanted what the NodeConfig says. @returns what to give to BIRD */
  choose(wanted: SessionPart): SessionPart {
    const key = keyOf(wanted);
    if (this.#undone === key && this.#proven !== undefined) return this.#proven.part;
    if (this.#stays !== key) this.#stays = undefined;
    this.#undone = undefined;
    return wanted;
  }

  /** BIRD has the part now. */
  applied(part: SessionPart): void {
    const key = keyOf(part);
    if (this.#inForce?.key === key) return;
    this.#inForce = { part, key, since: this.deps.clock.monotonic(), cameFromUp: this.#isUp };
    this.#isUp = false;
  }

  /**
   * @param isUp whether a session was established, as BIRD was asked at that time by the monotonic clock
   * @returns whether another part is to be given to BIRD
   */
  hear(isUp: boolean, askedAt: number): boolean {
    const now = this.#inForce;
    if (now === undefined || askedAt < now.since) return false;
    this.#isUp = isUp;
    if (isUp) this.#proven = now;
    if (isUp || now.part.peers.length === 0 || askedAt - now.since < TRIAL_MS) return false;
    return this.#undone === undefined ? this.#undo(now) : this.#goBack(now);
  }

  /** Undefined: what is in force is what is wanted. */
  get problem(): string | undefined {
    if (this.#undone === undefined) return undefined;
    return `the last change of the sessions left none of them established for ${
      TRIAL_MS / 1000
    } s: they are as they were before it`;
  }

  #undo(now: InForce): boolean {
    if (!now.cameFromUp || this.#stays === now.key) return false;
    if (this.#proven === undefined || this.#proven.key === now.key) return false;
    this.#undone = now.key;
    this.deps.logger.warn("BGP sessions as before their last change", { lostForMs: TRIAL_MS });
    return true;
  }

  /** The part of before has had its time as well. */
  #goBack(now: InForce): boolean {
    if (now.cameFromUp || now.key !== this.#proven?.key) return false;
    this.#stays = this.#undone;
    this.#undone = undefined;
    this.deps.logger.warn("BGP sessions as wanted again: those of before do not come up either", {});
    return true;
  }
}

function keyOf({ routerId, peers }: SessionPart): string {
  return JSON.stringify([routerId, peers], (_key, value: unknown) => typeof value === "bigint" ? `${value}` : value);
}
