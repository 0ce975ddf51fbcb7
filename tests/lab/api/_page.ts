/** Lists, whole or in pages of one snapshot. */
import type { StoredObject } from "./_object.ts";
import { apiVersionOf, type Resource } from "./_resource.ts";
import { gone, StatusError } from "./_status_error.ts";

interface Snapshot {
  readonly version: number;
  readonly objects: readonly StoredObject[];
}

const MAX_SNAPSHOTS = 100;

/** Keeps what paged lists still have to hand out. */
export class Pages {
  readonly #rest = new Map<string, Snapshot>(); // continue token -> what is left

  /** @returns the first page of the snapshot as a list object; everything when the limit is 0 */
  first(resource: Resource, snapshot: Snapshot, limit: number): Record<string, unknown> {
    const count = limit > 0 ? limit : snapshot.objects.length;
    const [items, rest] = [snapshot.objects.slice(0, count), snapshot.objects.slice(count)];
    const more = rest.length === 0
      ? {}
      : { continue: this.#keep({ ...snapshot, objects: rest }), remainingItemCount: rest.length };
    return {
      kind: `${resource.kind}List`,
      apiVersion: apiVersionOf(resource),
      metadata: { resourceVersion: String(snapshot.version), ...more },
      items: resource.schema === undefined ? items.map(withoutType) : items,
    };
  }

  /** @throws StatusError 410 for a token that is forgotten */
  next(resource: Resource, token: string, limit: number): Record<string, unknown> {
    const snapshot = this.#rest.get(token);
    if (snapshot === undefined) {
      throw gone(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without it.",
      );
    }
    return this.first(resource, snapshot, limit);
  }

  /** Forgets every token. */
  expire(): void {
    this.#rest.clear();
  }

  #keep(snapshot: Snapshot): string {
    const token = crypto.randomUUID();
    this.#rest.set(token, snapshot);
    const [oldest] = this.#rest.keys();
    if (this.#rest.size > MAX_SNAPSHOTS && oldest !== undefined) this.#rest.delete(oldest);
    return token;
  }
}

/** @returns a number from a query parameter, `otherwise` when absent. @throws StatusError 400 */
export function parseCount(query: URLSearchParams, key: string, otherwise: number): number {
  const text = query.get(key) ?? "";
  if (text === "") return otherwise;
  if (!/^\d{1,15}$/.test(text)) {
    throw new StatusError(400, "BadRequest", `${key} must be a number, not ${JSON.stringify(text)}`);
  }
  return Number(text);
}

/** The real server leaves kind and version out of the items of its own kinds' lists. */
function withoutType({ kind: _kind, apiVersion: _apiVersion, ...object }: StoredObject): Record<string, unknown> {
  return object;
}
