/** An open connection to the agent. */
export interface AgentConnection {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
}

/** What the plugin may still do after it has given up the rest. */
export type Kept = "nothing" | "agent socket" | "tombstones";

/** The world as the plugin sees it; every verb is tested with one that is no process. */
export interface PluginProcess {
  /** One of the CNI_ variables. Called before `giveUp` only. */
  env(name: string): string | undefined;
  /** @returns all of standard input; at most `limit` + 1 bytes of a longer one. Blocks. */
  readStdin(limit: number): Uint8Array;
  /** Writes to standard output, all of it. */
  print(text: string): void;
  /** @returns a connection; undefined when no agent listens, or none takes it within 2 s. @throws on anything else */
  connect(): Promise<AgentConnection | undefined>;
  /** Whether there was an agent since the boot, as far as can be told. Called before `giveUp` only. */
  hadAgent(): boolean;
  /** Gives up every permission but these, for good. */
  giveUp(keep: Kept): void;
  /** Milliseconds since an arbitrary start. */
  monotonic(): number;
  /** Milliseconds since the Unix epoch. */
  wall(): number;
  /** @returns an id for the call, another one each time; twelve hexadecimal digits */
  requestId(): string;
  sleep(ms: number): Promise<void>;
}
