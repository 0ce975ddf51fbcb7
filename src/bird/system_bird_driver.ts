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
import { isAcceptance, isRefusal, settle } from "./_configure_reply.ts";
import { parseSessions } from "./parse_sessions.ts";

/** Milliseconds from the start of one reload to the next. */
const RELOAD_PAUSE_MS = 20;
/** Code of the control socket, from BIRD's `doc/reply_codes`. */
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
  /** What it held before a text that only `bird -p` has seen; undefined: there was none. */
  #previous: string | undefined;
  /** Why what is in force is not in the file; empty: it is, or is about to be. */
  #unwritten = "";
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

  /**
   * While a daemon answers, its `configure` of the staged text is both the check and the swap: BIRD parses all of a file before it takes
   * any of it, and refuses it as a whole (8002). The file comes after, so that routers never wait for the disk, and holds at any moment
   * what BIRD has accepted, the last text or the one before: an agent that is killed in between leaves the one before, and
   * its successor applies its first text whatever the file says.
   */
  async #install(text: string): Promise<BirdOutcome> {
    if (this.#isInForce(text)) return await this.#writeLate(text);
    this.#lastReload = this.#options.clock.monotonic();
    if (await this.#isInPlace(text)) return await this.#configureInPlace(text);
    await this.#file.stage(text);
    const reply = await this.#configure(this.#file.staged);
    if (isRefusal(reply)) return await this.#refuse(summarize(reply));
    if (!isAcceptance(reply)) return await this.#prepareStart(text, reply);
    this.#take(text);
    await this.#place(text);
    await settle(reply, { ...this.#options, control: this.#control });
    return APPLIED;
  }

  /** Looks at the file too: what somebody else wrote there would be what BIRD is told to read. */
  async #isInPlace(text: string): Promise<boolean> {
    return text === this.#written && text === await this.#file.read();
  }

  /** Names the file: a BIRD that was started with the bootstrap file would read that one again. */
  async #configure(path: string): Promise<BirdReply | Error> {
    return await this.#control.ask(`configure "${path}"`).catch(toError);
  }

  /** For a BIRD that came anew, or one that was away when the text was written. */
  async #configureInPlace(text: string): Promise<BirdOutcome> {
    const reply = await this.#configure(this.#file.path);
    if (isRefusal(reply)) return await this.#takeBack(reply);
    if (!isAcceptance(reply)) return unreachable(reply);
    this.#take(text);
    await settle(reply, { ...this.#options, control: this.#control });
    return APPLIED;
  }

  #take(text: string): void {
    this.#inForce = { text, connection: this.#control.connection() };
    this.#options.logger.info("BIRD reconfigured", { bytes: text.length });
  }

  async #refuse(message: string): Promise<BirdOutcome> {
    await this.#file.discard();
    return { applied: false, reason: "refused", message };
  }

  /** What the disk refuses is in force nevertheless, and is tried again with every later call. */
  async #place(text: string): Promise<void> {
    try {
      await this.#file.commit();
      this.#written = text;
      this.#unwritten = "";
    } catch (error) {
      const before = this.#unwritten;
      this.#unwritten = String(error);
      if (before !== this.#unwritten) this.#options.logger.warn("BIRD's file not written", { error: this.#unwritten });
    }
  }

  async #writeLate(text: string): Promise<BirdOutcome> {
    if (this.#unwritten === "") return APPLIED;
    await this.#file.stage(text).then(() => this.#place(text), () => {});
    return APPLIED;
  }

  /** No daemon answers, or none that takes a configuration now: its next start reads the file, and `bird -p` has its say instead of it. */
  async #prepareStart(text: string, reply: BirdReply | Error): Promise<BirdOutcome> {
    let committed = false;
    try {
      const refusal = await this.#check();
      if (refusal !== undefined) return { applied: false, reason: "refused", message: refusal };
      this.#previous = this.#written ?? await this.#file.read();
      await this.#file.commit();
      committed = true;
      this.#written = text;
    } finally {
      if (!committed) await this.#file.discard();
    }
    return unreachable(reply);
  }

  async #check(): Promise<string | undefined> {
    const { runner, birdPath = BIRD } = this.#options;
    const { code, stderr } = await runner.run([birdPath, "-p", "-c", this.#file.staged]);
    return code === 0 ? undefined : stderr.trim();
  }

  /** Comes to this only when another version of BIRD, `bird -p`, had its say while the daemon was away. */
  async #takeBack(reply: BirdReply): Promise<BirdOutcome> {
    this.#written = undefined;
    await this.#file.restore(this.#previous);
    return { applied: false, reason: "refused", message: summarize(reply) };
  }
}

function unreachable(reply: BirdReply | Error): BirdOutcome {
  const message = reply instanceof Error ? reply.message : `${reply.code} ${summarize(reply)}`;
  return { applied: false, reason: "unreachable", message };
}

function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}
