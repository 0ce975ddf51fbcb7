import type { Clock } from "../clock/clock.ts";
import type { Watched } from "../kube/kube_client.ts";

/** A silence that is shorter is none, in milliseconds: watches are cut and begun anew all the time. */
const WORTH_TELLING_MS = 5_000;

export interface ApiOutageDependencies {
  /** Any collection that is followed. */
  readonly watched: Pick<Watched<unknown>, "lastContact" | "interruption">;
  readonly clock: Pick<Clock, "monotonic">;
  /** Tells the cluster; called once for each silence, when it has ended. */
  tell(message: string): void;
}

/** Notices when the API server does not answer, and says for how long it did not when it does again. */
export class ApiOutage {
  #silence: { readonly lastContact: number; readonly why: string } | undefined;

  constructor(private readonly deps: ApiOutageDependencies) {}

  /** To be called every few seconds. */
  look(): void {
    const { watched: { lastContact, interruption }, clock } = this.deps;
    if (lastContact === undefined) return;
    const silence = this.#silence;
    if (silence === undefined) {
      const isLong = clock.monotonic() - lastContact >= WORTH_TELLING_MS;
      if (isLong && interruption !== undefined) this.#silence = { lastContact, why: interruption };
    } else if (lastContact !== silence.lastContact) {
      this.#silence = undefined;
      const seconds = Math.round((lastContact - silence.lastContact) / 1000);
      this.deps.tell(`The API server did not answer for ${seconds} s: ${silence.why}`);
    }
  }
}
