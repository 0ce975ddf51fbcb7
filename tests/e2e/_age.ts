import { STATE_FILE } from "../../src/paths/paths.ts";
import { parseStateDocument, renderStateDocument } from "../../src/store/state_document.ts";
import type { LabNode } from "../lab/node.ts";

/** More than the grace period of garbage collection. */
const AGE_MS = 120_000;

/** Restarts the agent with a record that is older, and whatever else is to be changed meanwhile. */
export async function age(node: LabNode, meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
  await node.stopAgent();
  const path = node.outside(STATE_FILE);
  const document = parseStateDocument(await Deno.readFile(path));
  const older = Array.from(
    document.state.allocations,
    ([key, allocation]) => [key, { ...allocation, createdAt: allocation.createdAt - AGE_MS }] as const,
  );
  await Deno.writeFile(
    path,
    renderStateDocument({ ...document, state: { ...document.state, allocations: new Map(older) } }),
  );
  await meanwhile();
  await node.startAgent();
}
