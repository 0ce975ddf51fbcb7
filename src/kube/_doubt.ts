import type { Listed } from "./list_collection.ts";
import { RetryLater } from "./transport.ts";

/** Before a list that is hard to believe is asked for again. */
const DOUBT_MS = 1000;

/** What is known when a list arrives. */
export interface Known {
  readonly path: string;
  /** The newest resource version seen. */
  readonly version: string | undefined;
  /** How many objects. */
  readonly size: number;
}

/**
 * An etcd restored from a backup and a cluster that was emptied give a list that is older than what we know, or that takes
 * everything away; so does a server that is behind, or looks into the wrong etcd. Believed is what two lists say.
 */
export class Doubt {
  #doubting = false;

  /** @throws RetryLater for the first of two lists that are hard to believe */
  weigh({ items, resourceVersion }: Listed<unknown>, { path, version, size }: Known): void {
    const older = isLower(resourceVersion, version);
    const emptied = items.size === 0 && size > 0;
    this.#doubting = (older || emptied) && !this.#doubting;
    if (!this.#doubting) return;
    const state = older ? `it is of version ${resourceVersion}, after ${version}` : "nothing is left";
    throw new RetryLater(`Cannot believe the list of ${path}: ${state}`, undefined, DOUBT_MS);
  }
}

/** @returns whether the version comes before the other; false for what is no number, which only the server can compare */
export function isLower(version: string, than: string | undefined): boolean {
  const numeric = /^\d+$/;
  return than !== undefined && numeric.test(version) && numeric.test(than) && BigInt(version) < BigInt(than);
}
