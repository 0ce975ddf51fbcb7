/**
 * How flock's own transactions are known among those that `nft monitor` tells of. It tells the process of each, but as
 * the machine counts, and an agent in a pid namespace of its own does not know its children by that number. So a
 * transaction signs itself by a chain that it adds and deletes again: no packet and no reader ever sees it. Each writer
 * has a mark, and tables, of its own.
 */
export class TransactionMark {
  readonly #name: string;
  readonly #table: string;
  readonly #tables: ReadonlySet<string>;

  /**
   * @param nonce of this process: lower-case letters and digits
   * @param tables that the writer keeps, with their families: `inet flock`; it signs in the first
   */
  constructor(nonce: string, tables: readonly [string, ...string[]]) {
    this.#name = `sign_${nonce}`;
    this.#table = tables[0];
    this.#tables = new Set(tables);
  }

  /** For a process that will go on to make transactions: all of it are ours from then on. One line. */
  get process(): string {
    return this.#signature("all").join("; ");
  }

  /** For this one transaction. Whole lines. */
  get once(): string {
    return this.#signature("one").map((line) => `${line}\n`).join("");
  }

  /** @returns what a line of `nft monitor` signs, if anything */
  read(line: string): "process" | "once" | undefined {
    const signature = `add chain ${this.#table} ${this.#name}`;
    if (!line.startsWith(signature)) return undefined;
    return line.startsWith(`${signature}_all`) ? "process" : "once";
  }

  /** Whether that is a table of this writer. */
  covers(table: string): boolean {
    return this.#tables.has(table);
  }

  #signature(what: string): string[] {
    const chain = `${this.#table} ${this.#name}_${what}`;
    return [`add chain ${chain}`, `delete chain ${chain}`];
  }
}
