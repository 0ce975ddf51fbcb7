/**
 * The one call between plugin and agent: newline-delimited JSON over the agent's socket, one request and one response per
 * connection. The plugin passes on what the runtime gave it, parsed as JSON; the agent judges it.
 */

export type RpcVerb = "ADD" | "DEL" | "CHECK" | "GC" | "STATUS";

/** One request line. */
export interface RpcRequest {
  readonly verb: RpcVerb;
  /**
   * Wall clock when the plugin process started, milliseconds since the epoch. An ADD that started before a DEL of the same
   * container was answered is late and undoes itself; one that started after it is a new attachment.
   */
  readonly startedAt: number;
  /** Of `newRequestId`. STATUS has none; a plugin that is older than the agent gives none, and the agent makes one. */
  readonly requestId?: string;
  /** The environment as the runtime set it; absent variables are absent. */
  readonly environment: {
    readonly CNI_CONTAINERID?: string;
    readonly CNI_NETNS?: string;
    readonly CNI_IFNAME?: string;
    readonly CNI_ARGS?: string;
  };
  /** The network configuration from standard input, parsed JSON. */
  readonly config: unknown;
}

/** One response line. */
export type RpcResponse =
  /** The document for standard output; absent for verbs without one. */
  | { readonly ok: true; readonly result?: unknown }
  | { readonly ok: false; readonly code: number; readonly msg: string; readonly details: string };

/** Longest request in bytes of every verb but GC: a configuration of at most 256 KiB, some longer when written anew, and the environment. */
export const MAX_ORDINARY_REQUEST_BYTES = 1 << 20;

/** Longest request line in bytes: GC lists every attachment of a node, in a configuration of at most 4 MiB. */
export const MAX_REQUEST_BYTES = 5 << 20;
