/** The embedded server's etcd: objects, one version counter over all, and the changes of the recent past. */
import type { StoredObject } from "./_object.ts";

export interface Change {
  readonly version: number;
  /** The collection, `group/plural`. */
  readonly collection: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** For DELETED the last state, with the version of the deletion. */
  readonly object: StoredObject;
  readonly previous?: StoredObject;
}

export class ObjectStore {
  #version = 1;
  /** The oldest version from which a watch can follow without a gap. */
  #oldest = 1;
  #history: Change[] = [];
  readonly #collections = new Map<string, Map<string, StoredObject>>(); // collection -> namespace/name -> object
  readonly #bells = new Set<() => void>();

  /** @param historySize how many changes are kept */
  constructor(private readonly historySize: number) {}

  get version(): number {
    return this.#version;
  }

  get(collection: string, key: string): StoredObject | undefined {
    return this.#collections.get(collection)?.get(key);
  }

  /** @returns the collection's objects, sorted by key as etcd does */
  list(collection: string): StoredObject[] {
    const entries = [...(this.#collections.get(collection) ?? [])];
    return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** Creates or replaces. @returns the object with its new version */
  write(collection: string, key: string, object: StoredObject): StoredObject {
    const objects = this.#collections.get(collection) ?? new Map<string, StoredObject>();
    this.#collections.set(collection, objects);
    const previous = objects.get(key);
    const stored = this.#stamp(object);
    objects.set(key, stored);
    const change = { version: this.#version, collection, object: stored };
    this.#record(previous === undefined ? { ...change, type: "ADDED" } : { ...change, type: "MODIFIED", previous });
    return stored;
  }

  /** Removes the object if it is there. @returns its last state */
  remove(collection: string, key: string): StoredObject | undefined {
    const previous = this.get(collection, key);
    if (previous === undefined) return undefined;
    this.#collections.get(collection)?.delete(key);
    const object = this.#stamp(previous);
    this.#record({ version: this.#version, collection, type: "DELETED", object, previous });
    return object;
  }

  /** @returns the changes after a version, oldest first; undefined when some of them are forgotten */
  changesSince(version: number): readonly Change[] | undefined {
    if (version < this.#oldest) return undefined;
    const start = this.#history.findIndex((change) => change.version > version);
    return start < 0 ? [] : this.#history.slice(start);
  }

  /** Forgets the history. */
  compact(): void {
    this.#history = [];
    this.#oldest = this.#version;
  }

  /** Rings after each change. @returns the way to stop listening */
  onChange(bell: () => void): () => void {
    this.#bells.add(bell);
    return () => this.#bells.delete(bell);
  }

  #stamp(object: StoredObject): StoredObject {
    this.#version++;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }

  #record(change: Change): void {
    this.#history.push(change);
    if (this.#history.length > this.historySize) this.#oldest = this.#history.shift()?.version ?? this.#oldest;
    for (const bell of [...this.#bells]) bell();
  }
}
