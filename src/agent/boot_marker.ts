import { isLink } from "../file/claim_directory.ts";
import type { BootMarker } from "./session_monitor.ts";

/** A marker file on a tmpfs: gone with the reboot, kept over restarts of the agent. */
export function createBootMarker(path: string): BootMarker {
  let known = false;
  return {
    isSet: () => known ||= exists(path),
    set: () => {
      if (isLink(path)) Deno.removeSync(path);
      Deno.writeTextFileSync(path, "", { createNew: true, mode: 0o600 });
      known = true;
    },
  };
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
