import type { LeftTombstone } from "../rpc/tombstone.ts";
import type { AgentConnection, Kept, PluginProcess } from "./plugin_process.ts";

/** How the world of one call looks. */
export interface FakeWorld {
  readonly env?: Record<string, string>;
  readonly stdin?: string | Error;
  /** What each try to connect meets: an agent that answers this line, one that hangs up, or none; the last repeats. */
  readonly agents?: readonly (string | "hangs up" | "is silent" | "absent")[];
  /** Whether no agent has been there since the boot. */
  readonly booted?: boolean;
  /** What becomes of every tombstone. */
  readonly noteFails?: Error;
  /** What comes of printing, once the text is out. */
  readonly printFails?: Error;
}

/** A process that is none: it records what the plugin does, in order, and its time passes by sleeping alone. */
export class FakeProcess implements PluginProcess {
  readonly done: string[] = [];
  readonly requests: unknown[] = [];
  readonly tombstones: LeftTombstone[] = [];
  stdout = "";
  #now = 0;
  #connects = 0;

  constructor(private readonly world: FakeWorld) {}

  env = (name: string): string | undefined => this.world.env?.[name];
  monotonic = (): number => this.#now;
  wall = (): number => 1_700_000_000_000 + this.#now;
  requestId = (): string => "0123456789ab";

  readStdin(limit: number): Uint8Array {
    this.done.push("read stdin");
    const { stdin = "" } = this.world;
    if (stdin instanceof Error) throw stdin;
    return new TextEncoder().encode(stdin).subarray(0, limit + 1);
  }

  print(text: string): void {
    this.stdout += text;
    if (this.world.printFails !== undefined) throw this.world.printFails;
  }

  connect(): Promise<AgentConnection | undefined> {
    const agents = this.world.agents ?? ["absent"];
    const agent = agents[Math.min(this.#connects++, agents.length - 1)] ?? "absent";
    this.done.push(agent === "absent" ? "connect in vain" : "connect");
    return Promise.resolve(agent === "absent" ? undefined : this.#connection(agent));
  }

  hadAgent(): boolean {
    return this.world.booted !== true;
  }

  giveUp(keep: Kept): void {
    this.done.push(`keep ${keep}`);
  }

  /** Where a DEL's note goes. */
  leaveTombstone = (tombstone: LeftTombstone): Promise<void> => {
    if (this.world.noteFails !== undefined) return Promise.reject(this.world.noteFails);
    this.tombstones.push(tombstone);
    return Promise.resolve();
  };

  async sleep(ms: number): Promise<void> {
    // Whatever is ready goes first, as it would in real time.
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    this.#now += ms;
  }

  #connection(agent: string): AgentConnection {
    const decoder = new TextDecoder();
    let rest = agent === "hangs up" ? new Uint8Array() : new TextEncoder().encode(`${agent}\n`);
    return {
      write: (bytes) => {
        this.requests.push(JSON.parse(decoder.decode(bytes)));
        return Promise.resolve(bytes.length);
      },
      read: (into) => {
        if (agent === "is silent") return new Promise(() => {});
        if (rest.length === 0) return Promise.resolve(null);
        // In two pieces, as a socket may.
        const piece = rest.subarray(0, Math.ceil(rest.length / 2));
        rest = rest.subarray(piece.length);
        into.set(piece);
        return Promise.resolve(piece.length);
      },
    };
  }
}
