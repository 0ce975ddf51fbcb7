import type { BirdDriver, BirdOutcome, SessionState } from "../../src/bird/bird_driver.ts";
import { addressOf } from "./node_configs.ts";

const PEER = addressOf("192.0.2.1");

/** A BIRD that comes and goes, and the router that hears of it: for as long as the session stands, the router has what BIRD exports. */
export class FlappingBird implements BirdDriver {
  /** What a new BIRD starts from. */
  #file = "";
  /** What this one runs with. */
  #inForce = "";
  #running = true;
  #session = true;
  /** What the driver has given this BIRD; a new one knows nothing of it. */
  #given: string | undefined;

  apply(text: string): Promise<BirdOutcome> {
    this.#file = text;
    if (!this.#running) return Promise.resolve({ applied: false, reason: "unreachable", message: "no answer" });
    if (this.#given !== text) this.#inForce = this.#given = text;
    return Promise.resolve({ applied: true });
  }

  sessions(): Promise<readonly SessionState[]> {
    if (!this.#running) return Promise.reject(new Error("Cannot ask BIRD: no answer"));
    const state = this.#session ? "Established" : "Active";
    return Promise.resolve([{ peer: PEER, state, established: this.#session }]);
  }

  /** What the router has: nothing while BIRD or the session is down. */
  get rib(): readonly string[] {
    if (!this.#running || !this.#session) return [];
    return [...this.#inForce.matchAll(/route (\S+) blackhole/g)].map(([, net = ""]) => net).sort();
  }

  get isUp(): boolean {
    return this.#running && this.#session;
  }

  die(): void {
    this.#running = false;
    this.#given = undefined;
  }

  /** @param kept whether the file that flock wrote is still there; else it starts from the bootstrap file, without a route */
  start(kept: boolean): void {
    if (this.#running) return;
    this.#running = true;
    if (!kept) this.#file = "";
    this.#inForce = this.#file;
  }

  flap(up: boolean): void {
    this.#session = up;
  }
}
