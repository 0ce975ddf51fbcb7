/** What is counted under one name. */
export interface Counted {
  readonly packets: number;
  readonly bytes: number;
}

/**
 * Keeps one nft table of flock's own that is written as text; what the text is about is its author's business. Never
 * touches another. Calls are done one after the other, in the order in which they were made, save counters().
 */
export interface TextTable {
  /**
   * Makes the table what the text says, in one transaction: no packet sees it missing or half filled.
   *
   * @param text whole lines that take the place of whatever table there was
   * @throws TransactionRefused when nft or the kernel refuses it; anything else: what took effect is unknown
   */
  replace(text: string): Promise<void>;
  /**
   * Has the commands done in one transaction; in force when it resolves.
   *
   * @param commands without newlines, in an order that nft takes
   * @throws TransactionRefused when nft or the kernel refuses one of them; anything else: what took effect is unknown
   */
  change(commands: readonly string[]): Promise<void>;
  /**
   * Asks nft and the kernel whether they would take the text; changes nothing.
   *
   * @returns what they complain of, if anything
   */
  refusal(text: string): Promise<string | undefined>;
  /**
   * Compares the kernel's table with the text that replace() would make it: names, hooks, elements, and how many rules
   * each chain has. What the rules say is not compared. Costs as much as the table is large.
   *
   * @returns what differs, one phrase each; undefined when the table is gone
   */
  drift(text: string): Promise<readonly string[] | undefined>;
  /** @returns the named counters; empty when the table is gone. Costs as much as the table is large */
  counters(): Promise<ReadonlyMap<string, Counted>>;
  /** Ends the persistent process. */
  close(): Promise<void>;
}

/** A transaction of which nothing took effect. */
export class TransactionRefused extends Error {
  override readonly name = "TransactionRefused";

  /** @param complaint what nft wrote about it */
  constructor(table: string, readonly complaint: string) {
    super(`Cannot change table ${table}: nft wrote ${JSON.stringify(complaint.trim().slice(0, 500))}`);
  }
}
