/** The agent's state file as tests read and change it. */
import { assertEquals } from "@std/assert";
import { STATE_FILE } from "../../src/paths/paths.ts";
import { parseStateDocument, renderStateDocument, type StateDocument } from "../../src/store/state_document.ts";
import type { LabNode } from "../lab/node.ts";
import { allocationsOf, kernelOf } from "./_cluster.ts";
import type { Sandbox } from "./_sandbox.ts";

/** @returns what the file says, checked as the agent checks it */
export async function readState(node: LabNode): Promise<StateDocument> {
  return parseStateDocument(await Deno.readFile(node.outside(STATE_FILE)));
}

/** Changes what the file says, with a checksum that is right. The agent must be away: it does not read the file again. */
export async function editState(node: LabNode, change: (document: StateDocument) => StateDocument): Promise<void> {
  await Deno.writeFile(node.outside(STATE_FILE), renderStateDocument(change(await readState(node))));
}

/** @returns the same state, with everything in it dated so many milliseconds later */
export function redated(document: StateDocument, ms: number): StateDocument {
  const { allocations, resting, tombstones } = document.state;
  const state = {
    ...document.state,
    allocations: new Map([...allocations].map(([key, each]) => [key, { ...each, createdAt: each.createdAt + ms }])),
    resting: resting.map((each) => ({ ...each, freedAt: each.freedAt + ms })),
    tombstones: tombstones.map((each) => ({ ...each, until: each.until + ms })),
  };
  return { ...document, state };
}

/** State, links, routes and grants are those of these pods and of nobody else. */
export async function expectExactly(node: LabNode, pods: readonly Sandbox[], context: string): Promise<void> {
  const paths = pods.flatMap((pod) => pod.addresses.map((address) => `${address} ${pod.hostLink}`)).sort();
  const links = pods.map((pod) => pod.hostLink).sort();
  assertEquals(await kernelOf(node), { links, routes: paths, grants: paths }, context);
  const recorded = (await allocationsOf(node)).map(({ containerId, state }) => `${containerId} ${state}`).sort();
  assertEquals(recorded, pods.map(({ id }) => `${id} committed`).sort(), context);
}
