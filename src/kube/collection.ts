/** What is known of a followed collection. Pure: whoever talks to the server feeds it, listeners read it. */
import { isSameValue } from "./_same_value.ts";
import type { KubeObject, WatchTarget } from "./kube_client.ts";

type Decode<T> = WatchTarget<T>["decode"];

export class Collection<T> {
  items: ReadonlyMap<string, T> = new Map();
  synced = false;
  readonly #bells = new Set<(changed: ReadonlySet<string>) => void>();
  #items = new Map<string, T>();

  constructor(readonly decode: Decode<T>) {}

  /** Replaces everything at once: what the list does not hold is gone. Rings. */
  replace(items: Map<string, T>): void {
    const keys = new Set([...this.#items.keys(), ...items.keys()]);
    const changed = [...keys].filter((key) => !isSameValue(this.#items.get(key), items.get(key)));
    this.#items = items;
    this.items = items;
    this.synced = true;
    this.ring(new Set(changed));
  }

  /**
   * Takes an object as it is now.
   *
   * @returns its key if that says anything new: of most changes `decode` keeps nothing
   */
  put(object: KubeObject): string | undefined {
    const key = keyOf(object);
    const before = key === undefined ? undefined : this.#items.get(key);
    store(this.#items, object, this.decode);
    return key === undefined || isSameValue(before, this.#items.get(key)) ? undefined : key;
  }

  /** Forgets an object. @returns its key if there was one */
  remove(object: KubeObject): string | undefined {
    const key = keyOf(object);
    return key !== undefined && this.#items.delete(key) ? key : undefined;
  }

  /** Called once per batch of changes, not per change. */
  ring(changed: ReadonlySet<string>): void {
    for (const bell of [...this.#bells]) bell(changed);
  }

  onChange(bell: (changed: ReadonlySet<string>) => void): () => void {
    this.#bells.add(bell);
    return () => this.#bells.delete(bell);
  }
}

/** Puts the object's cut-down form under its key, or takes it away when `decode` keeps nothing of it. */
export function store<T>(items: Map<string, T>, object: KubeObject, decode: Decode<T>): void {
  const key = keyOf(object);
  if (key === undefined) return;
  const decoded = decode(object);
  if (decoded === undefined) items.delete(key);
  else items.set(key, decoded);
}

/** @returns the field of an object that may be anything, when it is text and not empty */
export function textField(value: unknown, field: string): string | undefined {
  const found = isObject(value) ? value[field] : undefined;
  return typeof found === "string" && found !== "" ? found : undefined;
}

export function isObject(value: unknown): value is KubeObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function keyOf(object: KubeObject): string | undefined {
  const name = textField(object["metadata"], "name");
  const namespace = textField(object["metadata"], "namespace");
  return name === undefined || namespace === undefined ? name : `${namespace}/${name}`;
}
