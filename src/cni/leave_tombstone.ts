import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import { isLink } from "../file/claim_directory.ts";
import { writeAtomically } from "../file/write_atomically.ts";
import { TOMBSTONE_DIR } from "../paths/paths.ts";
import { type LeftTombstone, renderTombstone, tombstoneFileName } from "../rpc/tombstone.ts";

/**
 * Leaves the note of a DEL where the agent looks for it before it serves anything; durable when the promise resolves.
 *
 * @throws CniError 5 when the directory is a link
 */
export async function leaveTombstone(tombstone: LeftTombstone): Promise<void> {
  const path = `${TOMBSTONE_DIR}/${tombstoneFileName(tombstone.containerId, tombstone.ifname)}`;
  if (isLink(TOMBSTONE_DIR)) {
    throw new CniError(CNI_CODE.ioFailure, `Cannot leave a tombstone: "${TOMBSTONE_DIR}" is a link`);
  }
  await Deno.mkdir(TOMBSTONE_DIR, { recursive: true, mode: 0o700 });
  await writeAtomically(path, { text: renderTombstone(tombstone), mode: 0o600 });
}
