import type { KubeClient, Watched, WatchTarget } from "../kube/kube_client.ts";

/** A collection of the API that is followed. */
export interface BookedWatch {
  /** Plural name, such as `pods`. */
  readonly resource: string;
  /** `node`: only what is bound to this node. */
  readonly scope: "node" | "cluster";
  readonly watched: Pick<Watched<unknown>, "synced" | "lastContact" | "interruption">;
}

/** Keeps a list of all that is followed of the API, for whoever asks how old that is. A decorator of the client. */
export class WatchBook {
  /** Hands everything on. */
  readonly kube: KubeClient;
  readonly #open = new Set<BookedWatch>();

  constructor(inner: KubeClient) {
    this.kube = { ...inner, watch: (target) => this.#enter(target, inner.watch(target)) };
  }

  /** Those that have not been stopped, in the order in which they were begun. */
  get open(): readonly BookedWatch[] {
    return [...this.#open];
  }

  #enter<T>({ path, fieldSelector }: WatchTarget<T>, watched: Watched<T>): Watched<T> {
    const resource = path.slice(path.lastIndexOf("/") + 1);
    const entry = { resource, scope: fieldSelector === undefined ? "cluster" : "node", watched } as const;
    this.#open.add(entry);
    return new Entered(watched, () => this.#open.delete(entry));
  }
}

class Entered<T> implements Watched<T> {
  constructor(private readonly watched: Watched<T>, private readonly stopped: () => void) {}

  get synced(): boolean {
    return this.watched.synced;
  }

  get items(): ReadonlyMap<string, T> {
    return this.watched.items;
  }

  get lastContact(): number | undefined {
    return this.watched.lastContact;
  }

  get interruption(): string | undefined {
    return this.watched.interruption;
  }

  onChange(bell: (changed: ReadonlySet<string>) => void): () => void {
    return this.watched.onChange(bell);
  }

  stop(): void {
    this.stopped();
    this.watched.stop();
  }
}
