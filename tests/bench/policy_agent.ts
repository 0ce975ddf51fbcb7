/** When the agent's policies are in force, by its own words. */
import { record } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";
import type { Daemon } from "../lab/process.ts";
import { until } from "../lab/until.ts";

/** What the agent logs when it knows all that it must know of the cluster, and when the table says so. */
const [KNOWN, IN_FORCE] = ["policies known", "policies in force"];
const TIMEOUT_MS = 60_000;

/** Starts an agent. Resolves when its table is in force. @returns milliseconds from when it knew the cluster until then */
export async function untilInForce(node: LabNode, start: () => Promise<Daemon>): Promise<number> {
  const before = (await momentsOf(node)).inForce.length;
  await start();
  return await until("the policies are in force", async () => {
    const { known, inForce } = await momentsOf(node);
    const [from, to] = [known[before], inForce[before]];
    return from === undefined || to === undefined ? undefined : to - from;
  }, { timeoutMs: TIMEOUT_MS, everyMs: 50 });
}

async function momentsOf(node: LabNode): Promise<{ known: readonly number[]; inForce: readonly number[] }> {
  const lines = (await node.readLog("agent")).split("\n").filter((line) => line.startsWith("{"));
  const entries = lines.map((line) => record(JSON.parse(line)));
  const momentsWith = (message: string): number[] =>
    entries.filter((entry) => entry["message"] === message).map(({ time }) => Date.parse(String(time)));
  return { known: momentsWith(KNOWN ?? ""), inForce: momentsWith(IN_FORCE ?? "") };
}
