/**
 * The tables `inet flock` and `arp flock` in the kernel, by way of nft. Ours after amnesia: everything in those two, and
 * nothing outside them.
 *
 * The whole tables go through one-shot `nft -f -` (2-4 ms; 120 ms with 20 000 elements, where a conversation takes 580).
 * Grants go through a conversation with `nft -i` (0.1 ms), which makes one transaction of each line.
 */
import { type Argv, type CommandRunner, type Conversation, expectSuccess } from "../exec/command_runner.ts";
import { diffGrants, diffGuard } from "./diff_guard.ts";
import { compileGuard, grantElement, grantSet, GUARD_FAMILIES } from "./guard_model.ts";
import type { GuardState, PacketGuard, SourceGrant } from "./packet_guard.ts";
import { type FoundTables, parseGuard } from "./read_guard.ts";
import { renderChanges, renderGuard, type SetChange } from "./render_guard.ts";
import type { TransactionMark } from "./transaction_mark.ts";

export interface PacketGuardOptions {
  readonly runner: CommandRunner;
  /** Absolute path of nft. */
  readonly nft: string;
  /** Signs what is changed, for whoever reads `nft monitor`; absent: nobody does. */
  readonly mark?: TransactionMark;
}

/** A guard whose transactions can be told from others'. */
export interface SignedPacketGuard extends PacketGuard {
  /** Signs the persistent process once more, for a monitor that was not listening when it was started. Changes nothing. */
  sign(): Promise<void>;
}

const TIMEOUT_MS = 10_000;
/** `nft -i` remembers every line it was given, some 200 bytes for each: it is started anew now and then. */
const LINES_PER_PROCESS = 5000;

/** What nft cannot write down is not what this process wrote: replacing the tables mends that too. */
const UNREADABLE = "the tables flock are unreadable: nft broke off its list";

/** @returns the guard; nothing is started or written before its first call */
export function createPacketGuard(options: PacketGuardOptions): SignedPacketGuard {
  return new SystemPacketGuard(options);
}

/** Changes that will go into one transaction. */
interface Batch {
  // element -> what becomes of it; the last call wins
  readonly changes: Map<string, SetChange>;
  readonly done: Promise<void>;
}

class SystemPacketGuard implements SignedPacketGuard {
  readonly #runner: CommandRunner;
  readonly #nft: string;
  readonly #mark: TransactionMark | undefined;
  /** Whether the persistent process that runs has been signed. */
  #signed = false;
  #conversation: Conversation;
  #linesSent = 0;
  #last: Promise<unknown> = Promise.resolve();
  #openBatch: Batch | undefined;
  /** The tables' objects as our own last transaction left them. */
  #objects: ReadonlyMap<string, string> | undefined;

  constructor({ runner, nft, mark }: PacketGuardOptions) {
    this.#runner = runner;
    this.#nft = nft;
    this.#mark = mark;
    this.#conversation = this.#converse();
  }

  async replace(state: GuardState): Promise<void> {
    const text = `${renderGuard(compileGuard(state))}${this.#mark?.once ?? ""}`;
    // A grant that comes later must not slip into a batch that this replacement then overwrites.
    this.#openBatch = undefined;
    await this.#inTurn(async () => {
      const argv: Argv = [this.#nft, "-f", "-"];
      expectSuccess(argv, await this.#runner.run(argv, { stdin: text, timeoutMs: TIMEOUT_MS }));
      const lists = await this.#list("-t");
      if (lists === undefined) throw new Error("Cannot read the tables flock back: one is gone");
      this.#objects = parseGuard(lists).objects;
    });
  }

  async grant(grants: readonly SourceGrant[]): Promise<void> {
    await this.#change(grants, { present: true });
  }

  async revoke(grants: readonly SourceGrant[]): Promise<void> {
    await this.#change(grants, { present: false });
  }

  async drift(state: GuardState): Promise<readonly string[] | undefined> {
    const model = compileGuard(state);
    return await this.#inTurn(async () => {
      const lists = await this.#list();
      if (lists === undefined) return undefined;
      if (this.#objects === undefined) return ["the tables flock are not what this process wrote"];
      const found = parseIfWhole(lists);
      return found === undefined ? [UNREADABLE] : diffGuard(found, { model, objects: this.#objects });
    });
  }

  async check(grants: readonly SourceGrant[]): Promise<readonly string[]> {
    const model = compileGuard({ grants, podPrefixes: [] });
    return await this.#inTurn(async () => {
      const lists = await this.#list();
      if (lists === undefined) return ["table inet flock or table arp flock is missing"];
      const found = parseIfWhole(lists);
      return found === undefined ? [UNREADABLE] : diffGrants(found, { model, objects: this.#objects });
    });
  }

  async sign(): Promise<void> {
    await this.#inTurn(() => this.#sign());
  }

  async close(): Promise<void> {
    await this.#inTurn(() => this.#conversation.close());
  }

  /**
   * One nft for each table: of two that are named in one command, nft 1.0.6 finds only the last.
   *
   * @returns table by table what nft wrote; undefined when either is gone
   */
  async #list(...options: readonly string[]): Promise<readonly string[] | undefined> {
    const found = await Promise.all(GUARD_FAMILIES.map(async (family) => {
      const argv: Argv = [this.#nft, "-j", ...options, "list", "table", family, "flock"];
      const result = await this.#runner.run(argv);
      if (result.code !== 0 && result.stderr.includes("No such file or directory")) return undefined;
      return expectSuccess(argv, result).stdout;
    }));
    const lists = found.filter((list) => list !== undefined);
    return lists.length === found.length ? lists : undefined;
  }

  #converse(): Conversation {
    const mark = (sequence: number): string => `flockmark${sequence}`;
    return this.#runner.converse({
      argv: [this.#nft, "-i"],
      markerLine: mark,
      // The line after the echo holds a caret below the end of the word.
      markerText: (sequence) => `${mark(sequence)}\n${" ".repeat(mark(sequence).length)}^\n`,
      timeoutMs: TIMEOUT_MS,
      started: () => (this.#signed = false),
    });
  }

  /** Runs the work after all work handed in before, whether that went well or not. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  async #change(grants: readonly SourceGrant[], { present }: { present: boolean }): Promise<void> {
    if (grants.length === 0) return;
    const changes = grants.map((grant) => ({ set: grantSet(grant), element: grantElement(grant), present }));
    const batch = this.#openBatch ??= this.#startBatch();
    for (const change of changes) batch.changes.set(change.element, change);
    await batch.done;
  }

  #startBatch(): Batch {
    const changes = new Map<string, SetChange>();
    const done = this.#inTurn(() => {
      if (this.#openBatch?.changes === changes) this.#openBatch = undefined;
      return this.#send(renderChanges([...changes.values()]));
    });
    return { changes, done };
  }

  async #send(line: string): Promise<void> {
    if (++this.#linesSent % LINES_PER_PROCESS === 0) {
      await this.#conversation.close();
      this.#conversation = this.#converse();
    }
    const complaints = await this.#tell(line);
    if (complaints !== "") {
      throw new Error(`Cannot change the tables flock: nft wrote ${JSON.stringify(complaints.slice(0, 500))}`);
    }
    // After, not before: which process it is shows only now. Without a signature a monitor looks once too often, no more.
    if (!this.#signed) await this.#sign().catch(() => {});
  }

  async #sign(): Promise<void> {
    if (this.#mark !== undefined) this.#signed = await this.#tell(this.#mark.process) === "";
  }

  /** @returns what nft complained of; empty when all went well */
  async #tell(line: string): Promise<string> {
    const answer = await this.#conversation.send([line]);
    // The last line is the marker's own complaint.
    return answer.split("\n").slice(0, -2).join("\n");
  }
}

/** @returns undefined when the lists break off: nft 1.0.6 does so at a dormant table, or writes another word there, as memory has it */
function parseIfWhole(lists: readonly string[]): FoundTables | undefined {
  try {
    return parseGuard(lists);
  } catch {
    return undefined;
  }
}
