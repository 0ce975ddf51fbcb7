import type { Packet } from "../../src/trace/packet.ts";
import type { Ruleset } from "../../src/trace/ruleset.ts";
import { type Trace, tracePacket } from "../../src/trace/trace_packet.ts";

/** What one base chain did. */
export interface Pass extends Trace {
  readonly chain: string;
}

/**
 * Follows a packet through the base chains of one hook by their priority, until one drops it: `accept` ends a base
 * chain, and the packet comes to the next (nft(8), "Verdict statement").
 *
 * @param hook `postrouting`
 * @returns what each chain that it came to did
 */
export function passTable(ruleset: Ruleset, { hook, packet }: { hook: string; packet: Packet }): readonly Pass[] {
  const passes: Pass[] = [];
  for (const chain of chainsAt(ruleset, hook)) {
    const trace = tracePacket(ruleset, { chain, packet });
    passes.push({ chain, ...trace });
    if (trace.outcome === "drop") break;
  }
  return passes;
}

function chainsAt({ chains }: Ruleset, name: string): string[] {
  const own = [...chains].flatMap(([chain, { hook }]) =>
    hook?.name === name ? [{ chain, priority: hook.priority }] : []
  );
  return own.sort((a, b) => a.priority - b.priority).map(({ chain }) => chain);
}
