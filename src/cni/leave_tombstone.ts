import { writeAtomically } from "../file/write_atomically.ts";
import { TOMBSTONE_DIR } from "../paths/paths.ts";
import { type LeftTombstone, renderTombstone, tombstoneFileName } from "../rpc/tombstone.ts";

/** Leaves the note of a DEL where the agent looks for it before it serves anything; durable when the promise resolves. */
export async function leaveTombstone(tombstone: LeftTombstone): Promise<void> {
  const path = `${TOMBSTONE_DIR}/${tombstoneFileName(tombstone.containerId, tombstone.ifname)}`;
  await Deno.mkdir(TOMBSTONE_DIR, { recursive: true, mode: 0o700 });
  await writeAtomically(path, { text: renderTombstone(tombstone), mode: 0o600 });
}
