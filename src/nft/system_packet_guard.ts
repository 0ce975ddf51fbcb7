/**
 * The tables `inet flock` and `arp flock` in the kernel, by way of nft. Ours after amnesia: everything in those two,
 * and nothing outside them. The whole tables go one-shot (120 ms with 20 000 elements, where a conversation takes 580),
 * grants line by line.
 */
import { expectSuccess } from "../exec/command_runner.ts";
import { diffGrants, diffGuard } from "./diff_guard.ts";
import { compileGuard, grantElement, grantSet, GUARD_FAMILIES } from "./guard_model.ts";
import { NftSession, type NftSessionOptions } from "./nft_session.ts";
import type { GuardState, PacketGuard, SourceGrant } from "./packet_guard.ts";
import { type FoundTables, parseGuard } from "./read_guard.ts";
import { renderChanges, renderGuard, type SetChange } from "./render_guard.ts";

/** A guard whose transactions can be told from others'. */
export interface SignedPacketGuard extends PacketGuard {
  /**
   * Signs the persistent process once more, for a monitor that was not listening when it was started. Changes nothing.
   */
  sign(): Promise<void>;
}

/** What nft cannot write down is not what this process wrote: replacing the tables mends that too. */
const UNREADABLE = "the tables flock are unreadable: nft broke off its list";

/** @returns the guard; nothing is started or written before its first call */
export function createPacketGuard(options: NftSessionOptions): SignedPacketGuard {
  return new SystemPacketGuard(new NftSession(options));
}

/** Changes that will go into one transaction. */
interface Batch {
  // element -> what becomes of it; the last call wins
  readonly changes: Map<string, SetChange>;
  readonly done: Promise<void>;
}

class SystemPacketGuard implements SignedPacketGuard {
  #openBatch: Batch | undefined;
  /** The tables' objects as our own last transaction left them. */
  #objects: ReadonlyMap<string, string> | undefined;

  constructor(private readonly session: NftSession) {}

  async replace(state: GuardState): Promise<void> {
    const text = renderGuard(compileGuard(state));
    // A grant that comes later must not slip into a batch that this replacement then overwrites.
    this.#openBatch = undefined;
    await this.session.inTurn(async () => {
      const { argv, result } = await this.session.runFile(text);
      expectSuccess(argv, result);
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
    return await this.session.inTurn(async () => {
      const lists = await this.#list();
      if (lists === undefined) return undefined;
      if (this.#objects === undefined) return ["the tables flock are not what this process wrote"];
      const found = parseIfWhole(lists);
      return found === undefined ? [UNREADABLE] : diffGuard(found, { model, objects: this.#objects });
    });
  }

  async check(grants: readonly SourceGrant[]): Promise<readonly string[]> {
    const model = compileGuard({ grants, podPrefixes: [] });
    return await this.session.inTurn(async () => {
      const lists = await this.#list();
      if (lists === undefined) return ["table inet flock or table arp flock is missing"];
      const found = parseIfWhole(lists);
      return found === undefined ? [UNREADABLE] : diffGrants(found, { model, objects: this.#objects });
    });
  }

  async sign(): Promise<void> {
    await this.session.inTurn(() => this.session.sign());
  }

  async close(): Promise<void> {
    await this.session.close();
  }

  /**
   * One nft for each table: of two that are named in one command, nft 1.0.6 finds only the last.
   *
   * @returns table by table what nft wrote; undefined when either is gone
   */
  async #list(...options: readonly string[]): Promise<readonly string[] | undefined> {
    const found = await Promise.all(GUARD_FAMILIES.map(async (family) => {
      const { argv, result } = await this.session.run(["-j", ...options, "list", "table", family, "flock"]);
      if (result.code !== 0 && result.stderr.includes("No such file or directory")) return undefined;
      return expectSuccess(argv, result).stdout;
    }));
    const lists = found.filter((list) => list !== undefined);
    return lists.length === found.length ? lists : undefined;
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
    const done = this.session.inTurn(() => {
      if (this.#openBatch?.changes === changes) this.#openBatch = undefined;
      return this.#send(renderChanges([...changes.values()]));
    });
    return { changes, done };
  }

  async #send(line: string): Promise<void> {
    const complaints = await this.session.send(line);
    if (complaints === "") return;
    throw new Error(`Cannot change the tables flock: nft wrote ${JSON.stringify(complaints.slice(0, 500))}`);
  }
}

/**
 * @returns undefined when the lists break off: nft 1.0.6 does so at a dormant table, or writes another word there, as
 * memory has it
 */
function parseIfWhole(lists: readonly string[]): FoundTables | undefined {
  try {
    return parseGuard(lists);
  } catch {
    return undefined;
  }
}
