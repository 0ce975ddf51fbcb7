/** What the agent needs of the Kubernetes API, and nothing more. */

/** A raw object as the API server sends it: parsed JSON, nothing assumed of its inside. */
export type KubeObject = Readonly<Record<string, unknown>>;

/** A collection to follow. */
export interface WatchTarget<T> {
  /** `/api/v1/pods`, `/apis/flock.fritzlab.net/v1alpha1/nodeconfigs` */
  readonly path: string;
  readonly fieldSelector?: string;
  /** Cuts an object down as it is decoded; undefined: not kept. Must not throw. */
  decode(object: KubeObject): T | undefined;
}

/** A followed collection: the last state known, kept while the API server is away. */
export interface Watched<T> {
  /** True after the first complete list. */
  readonly synced: boolean;
  /** `namespace/name`, or `name` for what has no namespace -> object */
  readonly items: ReadonlyMap<string, T>;
  /** Monotonic milliseconds of the last sign of life from the server (any byte); undefined before the first. */
  readonly lastContact: number | undefined;
  /** Why list and watch ended last; absent while the server is heard. */
  readonly interruption?: string | undefined;
  /**
   * Rings on every change of what is decoded and after each list, once for all that came together; the listener reads
   * `items`.
   *
   * @param bell is told the keys whose object came, went or changed, which are none when a list said nothing new
   * @returns the way to stop listening
   */
  onChange(bell: (changed: ReadonlySet<string>) => void): () => void;
  /** Ends list and watch. */
  stop(): void;
}

/** An Event's object and text (`events` v1 core). */
export interface KubeEvent {
  readonly involved: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly uid?: string;
  };
  readonly type: "Normal" | "Warning";
  /** CamelCase, at most 128 characters. */
  readonly reason: string;
  /** Cut to 1024 bytes. */
  readonly message: string;
  /** Of the call that it is about: stands behind the message, and does not make another Event of it. */
  readonly requestId?: string;
  /**
   * What tells it from others of its object, type and reason; default: its message. Those that nothing tells apart are one Event, which
   * counts them and has the newest message.
   */
  readonly series?: string;
}

/** Thrown for an answer that is not 2xx (status is the HTTP code), and for no answer at all (status undefined). */
export class KubeError extends Error {
  override readonly name = "KubeError";
  constructor(message: string, readonly status: number | undefined, options?: ErrorOptions) {
    super(message, options);
  }
}

export interface KubeClient {
  /**
   * Lists and watches for ever: pages, bookmarks, 410 Gone, expired continue tokens, refused and half-open connections
   * (silent for 90 s: cut), exponential back-off with jitter. What is known stays known meanwhile.
   */
  watch<T>(target: WatchTarget<T>): Watched<T>;
  /** @returns the object, or undefined when there is none (404). @throws KubeError, after at most `timeoutMs` */
  get(path: string, options: { timeoutMs: number }): Promise<KubeObject | undefined>;
  /** Merge-patches a status subresource (`path` without `/status`; strategic for core kinds). @throws KubeError */
  patchStatus(path: string, patch: KubeObject, kind: "merge" | "strategic"): Promise<void>;
  /** Records an Event; the same event again within ten minutes only counts up. Rate limited. Never throws. */
  recordEvent(event: KubeEvent): void;
  /** Ends all watches and pending events. */
  stop(): void;
}
