/**
 * How flock's own transactions are known among those that `nft monitor` tells of. It tells the process of each, but as the machine
 * counts, and an agent in a pid namespace of its own does not know its children by that number. So a transaction signs itself
 * by a chain that it adds and deletes again: no packet and no reader ever sees it.
 */
export class TransactionMark {
  readonly #name: string;

  /** @param nonce of this process: lower-case letters and digits */
  constructor(nonce: string) {
    this.#name = `sign_${nonce}`;
  }

  /** For a process that will go on to make transactions: all of it are ours from then on. One line. */
  get process(): string {
    return signatureOf(`${this.#name}_all`).join("; ");
  }

  /** For this one transaction. Whole lines. */
  get once(): string {
    return signatureOf(`${this.#name}_one`).map((line) => `${line}\n`).join("");
  }

  /** @returns what a line of `nft monitor` signs, if anything */
  read(line: string): "process" | "once" | undefined {
    if (!line.startsWith(`add chain inet flock ${this.#name}`)) return undefined;
    return line.startsWith(`add chain inet flock ${this.#name}_all`) ? "process" : "once";
  }
}

function signatureOf(chain: string): string[] {
  return [`add chain inet flock ${chain}`, `delete chain inet flock ${chain}`];
}
