import type { BirdDriver, SessionState } from "../bird/bird_driver.ts";
import { wasLost } from "../bird/was_lost.ts";
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../log/logger.ts";
import type { SessionTrial } from "./session_trial.ts";

/** Remembers, for as long as the machine is up, that a BGP session has been established. */
export interface BootMarker {
  isSet(): boolean;
  set(): void;
}

/** What BIRD said last of its sessions. */
export interface SessionView {
  /** Whether BIRD has been asked. */
  readonly asked: boolean;
  /** Undefined while BIRD does not answer. */
  readonly sessions: readonly SessionState[] | undefined;
  /** Whether a session has come up since the machine booted, over restarts of the agent. */
  readonly everEstablished: boolean;
}

export interface SessionMonitorDependencies {
  readonly bird: BirdDriver;
  readonly marker: BootMarker;
  readonly trial: Pick<SessionTrial, "hear">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Asks for another announcement. */
  addressesChanged(): void;
}

/** Reads session state back from BIRD, and logs each change of it. */
export class SessionMonitor {
  #sessions: readonly SessionState[] | undefined;
  readonly #losses = new Map<string, number>();
  #asked = false;

  constructor(private readonly deps: SessionMonitorDependencies) {}

  get view(): SessionView {
    return { asked: this.#asked, sessions: this.#sessions, everEstablished: this.deps.marker.isSet() };
  }

  /** peer -> how many sessions with it were seen to end since the start */
  get losses(): ReadonlyMap<string, number> {
    return this.#losses;
  }

  /** Asks BIRD. @returns whether anything is different from the last time */
  async read(): Promise<boolean> {
    const { bird, marker, trial, clock } = this.deps;
    const [before, askedAt] = [this.#sessions, clock.monotonic()];
    const isFirst = !this.#asked;
    this.#sessions = await bird.sessions().catch(() => undefined);
    this.#asked = true;
    const isUp = this.#sessions?.some(({ established }) => established);
    if (isUp && !marker.isSet()) marker.set();
    if (isUp !== undefined && trial.hear(isUp, askedAt)) this.deps.addressesChanged();
    this.#logChanges(before);
    return isFirst || JSON.stringify(before?.map(comparable)) !== JSON.stringify(this.#sessions?.map(comparable));
  }

  #logChanges(before: readonly SessionState[] | undefined): void {
    const { logger } = this.deps;
    if (before !== undefined && this.#sessions === undefined) logger.warn("BIRD does not answer");
    const last = new Map(before?.map((session) => [session.peer.text, session]));
    for (const session of this.#sessions ?? []) {
      const { peer, state, since, lastError } = session;
      const was = last.get(peer.text);
      const lost = was !== undefined && wasLost(was, session);
      if (was?.state === state && !lost) continue;
      if (lost) this.#losses.set(peer.text, (this.#losses.get(peer.text) ?? 0) + 1);
      logger[lost ? "warn" : "info"]("BGP session", { peer: peer.text, state, since, was: was?.state, lastError });
    }
  }
}

function comparable({ peer, state, since, lastError }: SessionState): readonly unknown[] {
  return [peer.text, state, since, lastError];
}
