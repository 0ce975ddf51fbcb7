import type { TransactionMark } from "./transaction_mark.ts";

/** A change to a table, whatever it is a change of: `delete element inet flock own4 { ... }`. */
const CHANGED_TABLE = /^[a-z]+ (?:ct )?[a-z]+ ([a-z0-9]+ [^\s]+)(?:\s|$)/;
/** The end of a transaction; kernels and nft that do not tell the process are no reason not to look. */
const END = /^# new generation \d+(?: by process (\d+))?/;
const CHANGE = /^[a-z]+ [a-z]+ /;
/** Stands for a process that is not told, and for transactions that were not heard. */
const UNKNOWN = -1;

/** `unsure`: messages were lost, or did not say what was changed, or by whom. */
export type Suspicion = "none" | "unsure" | "sure";

/**
 * Reads `nft monitor`: have others than flock changed flock's tables? Each transaction is some lines, one for a change,
 * and a last one that names its process. One without a single change that nft could show counts as a change of all of
 * ours, and so does whatever else it writes: it does so where it has lost messages, or does not understand one.
 */
export class TransactionTracker {
  readonly #marks: readonly TransactionMark[];
  // writer -> its signed process, as the machine counts
  readonly #own = new Map<TransactionMark, number>();
  // writer -> the processes that have changed its tables, or may have, since somebody asked, and whether that is sure
  readonly #strangers: ReadonlyMap<TransactionMark, Map<number, boolean>>;
  #transaction = newTransaction();

  /** @param marks of the writers whose tables are watched */
  constructor(...marks: readonly TransactionMark[]) {
    this.#marks = marks;
    this.#strangers = new Map(marks.map((mark) => [mark, new Map<number, boolean>()]));
  }

  /** @returns whether `changedByOthers` may be true now, for one of the writers */
  hear(line: string): boolean {
    const end = END.exec(line);
    if (end !== null) return this.#end(end[1] === undefined ? UNKNOWN : Number(end[1]));
    if (!CHANGE.test(line)) return this.#isAlarm(line) && this.#suspect(UNKNOWN, this.#anything);
    this.#change(line);
    return false;
  }

  /**
   * To be asked a moment after `hear`: a new process of ours signs after its first transaction, not before.
   *
   * @returns whether others have changed the writer's tables, or may have, since it was last asked for that writer
   */
  changedByOthers(mark: TransactionMark): Suspicion {
    const strangers = this.#strangers.get(mark);
    const own = this.#ownProcesses();
    const others = [...strangers ?? []].filter(([pid]) => !own.has(pid));
    strangers?.clear();
    if (others.length === 0) return "none";
    return others.some(([, sure]) => sure) ? "sure" : "unsure";
  }

  #change(line: string): void {
    const transaction = this.#transaction;
    transaction.changes++;
    const [, table] = CHANGED_TABLE.exec(line) ?? [];
    for (const mark of this.#marks) {
      const signed = mark.read(line);
      if (signed !== undefined) transaction.signed ??= { mark, what: signed };
      if (table !== undefined && mark.covers(table)) transaction.touched.add(mark);
    }
  }

  #end(pid: number): boolean {
    const { signed, touched, changes } = this.#transaction;
    this.#transaction = newTransaction();
    if (signed?.what === "process") this.#own.set(signed.mark, pid);
    if (signed !== undefined || this.#ownProcesses().has(pid)) return false;
    return this.#suspect(pid, changes === 0 ? this.#anything : { marks: [...touched], sure: true });
  }

  #suspect(pid: number, { marks, sure }: { marks: readonly TransactionMark[]; sure: boolean }): boolean {
    for (const mark of marks) {
      const strangers = this.#strangers.get(mark);
      strangers?.set(pid, strangers.get(pid) === true || (sure && pid !== UNKNOWN));
    }
    return marks.length > 0;
  }

  get #anything(): { marks: readonly TransactionMark[]; sure: boolean } {
    return { marks: this.#marks, sure: false };
  }

  #ownProcesses(): ReadonlySet<number> {
    return new Set(this.#own.values());
  }

  /**
   * `# ERROR: We lost some netlink events!`, warnings, and not the further lines of a change, which are indented or
   * close a brace.
   */
  #isAlarm(line: string): boolean {
    return /^(#|\w+:|netlink)/i.test(line);
  }
}

interface Transaction {
  changes: number;
  /** Whose tables it changes. */
  readonly touched: Set<TransactionMark>;
  signed: { readonly mark: TransactionMark; readonly what: "process" | "once" } | undefined;
}

function newTransaction(): Transaction {
  return { changes: 0, touched: new Set(), signed: undefined };
}
