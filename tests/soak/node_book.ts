/** What the soak knows of one node's containers, from what their runtime was told. */
import type { SandboxStatus } from "../lab/cri.ts";
import { AddressBook } from "./address_book.ts";
import { Debts } from "./debts.ts";
import type { KubeletEvents, Pod } from "./kubelet.ts";

/** Of failed attempts, the newest, for who wonders why. */
const KEPT_FAILURES = 20;

export class NodeBook implements KubeletEvents {
  readonly debts = new Debts();
  /** Every container that the runtime ever named. */
  readonly named = new Set<string>();
  failures: string[] = [];
  /** Nothing can be written: deletions reach the disk later, or after a crash never. */
  diskFull = false;
  readonly #addresses = new AddressBook();

  /** @param complain gets what must not be, at once */
  constructor(private readonly complain: (wrong: string) => void) {}

  born({ id, addresses }: SandboxStatus): void {
    this.named.add(id);
    for (const wrong of this.#addresses.born(id, { addresses, at: Date.now() })) this.complain(wrong);
  }

  dying(id: string): void {
    this.named.add(id);
    this.#addresses.dying(id, Date.now());
    if (this.diskFull) this.debts.owe(id, Date.now());
  }

  /** Nobody will ever ask for its deletion. */
  lost(id: string): void {
    this.#addresses.dying(id, Date.now());
    this.debts.owe(id, Date.now());
  }

  failed({ name }: Pod, why: string): void {
    this.failures = [...this.failures, `${new Date().toISOString()} ${name}: ${why}`].slice(-KEPT_FAILURES);
  }
}
