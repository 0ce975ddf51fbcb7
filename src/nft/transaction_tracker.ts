import type { TransactionMark } from "./transaction_mark.ts";

/** A change to one of our tables, whatever it is a change of: `delete element inet flock own4 { ... }`. */
const TOUCHES_OURS = /^[a-z]+ (?:ct )?[a-z]+ (?:inet|arp) flock(?:\s|$)/;
/** The end of a transaction; kernels and nft that do not tell the process are no reason not to look. */
const END = /^# new generation \d+(?: by process (\d+))?/;
const CHANGE = /^[a-z]+ [a-z]+ /;
/** Stands for a process that is not told, and for transactions that were not heard. */
const UNKNOWN = -1;

/**
 * Reads `nft monitor`: have others than flock changed flock's tables? Each transaction is some lines, one for a change, and a
 * last one that names its process. One without a single change that nft could show counts as a change of ours, and so does whatever else
 * it writes: it does so where it has lost messages, or does not understand one.
 */
export class TransactionTracker {
  readonly #mark: TransactionMark;
  /** The signed process, as the machine counts. */
  #own: number | undefined;
  readonly #strangers = new Set<number>();
  #transaction = newTransaction();

  constructor(mark: TransactionMark) {
    this.#mark = mark;
  }

  /** @returns whether `changedByOthers` may be true now */
  hear(line: string): boolean {
    const end = END.exec(line);
    if (end !== null) return this.#end(end[1] === undefined ? UNKNOWN : Number(end[1]));
    if (!CHANGE.test(line)) return this.#isAlarm(line) && this.#suspect(UNKNOWN);
    this.#transaction.changes++;
    this.#transaction.signed ??= this.#mark.read(line);
    if (TOUCHES_OURS.test(line)) this.#transaction.touchesOurs = true;
    return false;
  }

  /**
   * To be asked a moment after `hear`: a new process of ours signs after its first transaction, not before.
   *
   * @returns whether others have changed our tables, or may have, since the last call
   */
  changedByOthers(): boolean {
    const changed = [...this.#strangers].some((pid) => pid !== this.#own);
    this.#strangers.clear();
    return changed;
  }

  #end(pid: number): boolean {
    const { signed, touchesOurs, changes } = this.#transaction;
    this.#transaction = newTransaction();
    if (signed === "process") this.#own = pid;
    const harmless = signed !== undefined || pid === this.#own || (changes > 0 && !touchesOurs);
    return !harmless && this.#suspect(pid);
  }

  #suspect(pid: number): boolean {
    this.#strangers.add(pid);
    return true;
  }

  /** `# ERROR: We lost some netlink events!`, warnings, and not the further lines of a change, which are indented or close a brace. */
  #isAlarm(line: string): boolean {
    return /^(#|\w+:|netlink)/i.test(line);
  }
}

interface Transaction {
  changes: number;
  touchesOurs: boolean;
  signed: ReturnType<TransactionMark["read"]>;
}

function newTransaction(): Transaction {
  return { changes: 0, touchesOurs: false, signed: undefined };
}
