/**
 * Ours after amnesia: the configuration file is flock's as a whole, and BIRD's sessions named `peer*` are those that it holds.
 * What BIRD has in force is never assumed: the first text is applied whatever the file says, and again after every new connection.
 */
import type { Clock } from "../clock/clock.ts";
import type { CommandRunner } from "../exec/command_runner.ts";
import type { Logger } from "../log/logger.ts";
import { BIRD, BIRD_CONFIG, BIRD_SOCKET } from "../paths/paths.ts";
import { type BirdControl, createBirdControl } from "./bird_control.ts";
import type { BirdDriver, BirdOutcome, SessionState } from "./bird_driver.ts";
import { type BirdReply, summarize } from "./bird_reply.ts";
import { ConfigFile } from "./config_file.ts";
import { LastWins } from "./_last_wins.ts";
import { parseSessions } from "./parse_sessions.ts";

/** Milliseconds from the start of one reload to the next. */
const RELOAD_PAUSE_MS = 20;
const SETTLE_POLL_MS = 10;
const SETTLE_LIMIT_MS = 2000;

/** Codes of the control socket, from BIRD's `doc/reply_codes`. */
const RECONFIGURED = 3;
const IN_PROGRESS = 4;
const QUEUED = 5;
const CONFIGURATION_OK = 20;
const BAD_CONFIGURATION = 8002;
const NO_PROTOCOLS_MATCH = 8003;

const APPLIED: BirdOutcome = { applied: true };

export interface BirdDriverOptions {
  /** Runs `bird -p` when no daemon answers. */
  readonly runner: Pick<CommandRunner, "run">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: the fixed paths. Absolute, without a double quote. */
  readonly socketPath?: string;
  readonly configPath?: string;
  readonly birdPath?: string;
}

/** @returns a driver; it connects with the first call, and `close` lets go of the connection */
export function createBirdDriver(options: BirdDriverOptions): BirdDriver & { close(): void } {
  return new SystemBirdDriver(options);
}

class SystemBirdDriver implements BirdDriver {
  readonly #options: BirdDriverOptions;
  readonly #control: BirdControl;
  readonly #file: ConfigFile;
  readonly #installs: LastWins<string, BirdOutcome>;
  #inForce: { text: string; connection: number | undefined } | undefined;
  /** The text in the file, when this driver put it there and BIRD had nothing against it. */
  #written: string | undefined;
  /** What it held before that, if this driver put it there too, else what was found there; undefined: there was none. */
  #previous: string | undefined;
  #lastReload = -Infinity;

  constructor(options: BirdDriverOptions) {
    const { clock, socketPath = BIRD_SOCKET, configPath = BIRD_CONFIG } = options;
    this.#options = options;
    this.#control = createBirdControl({ path: socketPath, clock });
    this.#file = new ConfigFile(configPath);
    this.#installs = new LastWins((text) => this.#install(text), { clock, delayOf: (text) => this.#delayOf(text) });
  }

  apply(text: string): Promise<BirdOutcome> {
    return this.#installs.submit(text);
  }

  async sessions(): Promise<readonly SessionState[]> {
    const reply = await this.#control.ask('show protocols all "peer*"');
    if (reply.code === NO_PROTOCOLS_MATCH) return [];
    if (reply.code !== 0) throw new Error(`Cannot read the sessions of BIRD: ${reply.code} ${summarize(reply)}`);
    return parseSessions(reply);
  }

  close(): void {
    this.#control.close();
  }

  #delayOf(text: string): number {
    return this.#isInForce(text) ? 0 : this.#lastReload + RELOAD_PAUSE_MS - this.#options.clock.monotonic();
  }

  /** A new connection may be to a new BIRD, which started from whatever file it was given. */
  #isInForce(text: string): boolean {
    const connection = this.#control.connection();
    return connection !== undefined && this.#inForce?.connection === connection && this.#inForce.text === text;
  }

  async #install(text: string): Promise<BirdOutcome> {
    if (this.#isInForce(text)) return APPLIED;
    this.#lastReload = this.#options.clock.monotonic();
    if (await this.#isInPlace(text)) return await this.#configure(text);
    const refusal = await this.#write(text);
    if (refusal !== undefined) return refused(refusal);
    const outcome = await this.#configure(text);
    await this.#file.sync(); // last: routers need not wait for the disk
    return outcome;
  }

  /** Looks at the file too: what somebody else wrote there would be what BIRD is told to read. */
  async #isInPlace(text: string): Promise<boolean> {
    return text === this.#written && text === await this.#file.read();
  }

  /** @returns what BIRD has against the text; undefined when it is in place */
  async #write(text: string): Promise<string | undefined> {
    let committed = false;
    try {
      await this.#file.stage(text);
      const refusal = await this.#check();
      if (refusal !== undefined) return refusal;
      this.#previous = this.#written ?? await this.#file.read();
      await this.#file.commit();
      committed = true;
      this.#written = text;
    } finally {
      if (!committed) await this.#file.discard();
    }
    return undefined;
  }

  /** By the daemon itself when there is one: no process to start, and it is its own opinion that counts. */
  async #check(): Promise<string | undefined> {
    const { staged } = this.#file;
    const reply = await this.#control.ask(`configure check "${staged}"`).catch(() => undefined);
    if (reply?.code === CONFIGURATION_OK) return undefined;
    if (reply?.code === BAD_CONFIGURATION) return summarize(reply);
    const { runner, birdPath = BIRD } = this.#options;
    const { code, stderr } = await runner.run([birdPath, "-p", "-c", staged]);
    return code === 0 ? undefined : stderr.trim();
  }

  /** Names the file: a BIRD that was started with the bootstrap file would read that one again. */
  async #configure(text: string): Promise<BirdOutcome> {
    const reply = await this.#control.ask(`configure "${this.#file.path}"`).catch(toError);
    if (reply instanceof Error) return { applied: false, reason: "unreachable", message: reply.message };
    if (reply.code === BAD_CONFIGURATION) return await this.#takeBack(reply);
    if (![RECONFIGURED, IN_PROGRESS, QUEUED].includes(reply.code)) {
      return { applied: false, reason: "unreachable", message: `${reply.code} ${summarize(reply)}` };
    }
    if (reply.code !== RECONFIGURED) await this.#settle();
    this.#inForce = { text, connection: this.#control.connection() };
    this.#options.logger.info("BIRD reconfigured", { bytes: text.length });
    return APPLIED;
  }

  /** Comes to this only when the daemon was away at the check and another version of BIRD, `bird -p`, had its say. */
  async #takeBack(reply: BirdReply): Promise<BirdOutcome> {
    this.#written = undefined;
    await this.#file.restore(this.#previous);
    return refused(summarize(reply));
  }

  /** BIRD has accepted the text and waits for a session of the old one to end; a peer that does not answer may delay that. */
  async #settle(): Promise<void> {
    const { clock, logger } = this.#options;
    for (const end = clock.monotonic() + SETTLE_LIMIT_MS; clock.monotonic() < end; await clock.sleep(SETTLE_POLL_MS)) {
      const reply = await this.#control.ask("show status").catch(() => undefined);
      if (reply === undefined || !summarize(reply).includes("in progress")) return;
    }
    logger.warn("BIRD still reconfigures", { afterMs: SETTLE_LIMIT_MS });
  }
}

function refused(message: string): BirdOutcome {
  return { applied: false, reason: "refused", message };
}

function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}
