import type { Logger } from "../log/logger.ts";
import type { NodeView } from "./node_reconciler.ts";

/** Logs which pod begins or ceases to serve which anycast address, and why. What an agent finds at its start is no change. */
export class AnycastLog {
  // `address owner` -> what was decided last
  #decided: ReadonlyMap<string, string> | undefined;

  constructor(private readonly logger: Logger) {}

  /** What the node tells its routers by now. */
  told({ anycast, advertised }: Pick<NodeView, "anycast" | "advertised">): void {
    if (anycast.length === 0 && this.#decided?.size === 0) return;
    const before = this.#decided;
    const prefixes = new Set(advertised.map((text) => text.slice(0, text.lastIndexOf("/"))));
    const decided = new Map<string, string>();
    for (const each of anycast) {
      const [key, reason] = [`${each.address.text} ${each.owner}`, each.serves ? undefined : each.reason];
      if (each.serves || !decided.has(key)) decided.set(key, reason ?? "serves");
    }
    this.#decided = decided;
    if (before === undefined) return;
    for (const key of new Set([...before.keys(), ...decided.keys()])) {
      const [now, was] = [decided.get(key) ?? "gone", before.get(key)];
      if (now === was) continue;
      const [address = "", pod] = key.split(" ");
      this.logger.info("anycast address", { address, pod, now, was, advertised: prefixes.has(address) });
    }
  }
}
