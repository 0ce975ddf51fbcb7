import { now } from "../e2e/_service_pod.ts";
import type { Lab } from "../lab/lab.ts";

/**
 * Holds the watches until all is written, so that what the server needs for its clients' requests does not count, and many come at once.
 *
 * @returns the moment before the server was told to let it out, in milliseconds since the epoch
 */
export async function letOut({ api }: Lab, write: () => Promise<unknown> | undefined): Promise<number> {
  await api.faults.stall();
  await write();
  const at = now();
  await api.faults.recover();
  return at;
}
