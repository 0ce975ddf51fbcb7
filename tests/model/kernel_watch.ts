import type { NodeParts } from "../../src/agent/assemble_node.ts";
import type { DriftTick } from "../../src/agent/drift_watch.ts";
import { PathWatch } from "../../src/agent/path_watch.ts";
import { SettingWatch } from "../../src/agent/setting_watch.ts";
import type { Clock } from "../../src/clock/clock.ts";
import type { IpEvent } from "../../src/exec/parse_ip_event.ts";
import type { Gates } from "./gates.ts";

/** As the agent's. */
const BURST = { delayMs: 100, everyMs: 500 };

export interface KernelWatchDependencies extends Pick<NodeParts, "ledger" | "reconciler"> {
  readonly gates: Gates;
  readonly clock: Clock;
  /** A sysctl below net/. */
  read(name: string): string | undefined;
  /** Something has to be looked at. Resolves when it was; never rejects. */
  ring(tick: DriftTick): Promise<void>;
}

/** What an agent learns of what others do to the kernel: its own watches, and its monitors, whose messages wait at the gates. */
export class KernelWatch {
  readonly #stop = new AbortController();
  readonly #paths: PathWatch;

  constructor(private readonly deps: KernelWatchDependencies) {
    const { ledger, reconciler, clock, ring } = deps;
    const { signal } = this.#stop;
    this.#paths = new PathWatch({ ...BURST, ledger, clock, signal, broken: () => void ring("links") });
    const settings = new SettingWatch({
      ...{ ledger, node: reconciler, clock },
      read: (name) => deps.read(name),
      letGo: () => {},
    });
    void settings.run({ changed: () => ring("settings"), signal });
    this.tell("drift"); // as monitors do that begin to listen
  }

  hear(event: IpEvent): void {
    this.#paths.hear(event);
  }

  /** A monitor says something. One that dies instead is started anew, and then everything is looked at. */
  tell(tick: DriftTick): void {
    const { gates, ring } = this.deps;
    gates.pass(`monitor: ${tick}`, () => {}, { lane: "monitor" }).then(() => void ring(tick), () => this.tell("drift"));
  }

  /** The agent dies. */
  end(): void {
    this.#stop.abort();
  }
}
