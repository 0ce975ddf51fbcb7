/** Packets, which tell what no table does. */
import type { Place } from "../../lab/place.ts";

const PING_SCRIPT = 'for a in "$@"; do (ping -n -c 3 -i 0.3 -W 2 "$a" >/dev/null || echo "$a") & done; wait';

/** @returns those that answer none of three echo requests */
export async function pingAll(from: Place, addresses: readonly string[]): Promise<string[]> {
  const output = await from.output(["sh", "-c", PING_SCRIPT, "sh", ...addresses], { timeoutMs: 30_000 });
  return output.split("\n").filter((address) => address !== "");
}
