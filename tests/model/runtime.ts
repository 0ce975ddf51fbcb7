import { isJsonObject } from "../../src/cnispec/json_value.ts";
import { CniError } from "../../src/cnispec/cni_error.ts";
import { Gates } from "./gates.ts";
import type { Life } from "./life.ts";
import type { World } from "./world.ts";

export type Verb = "ADD" | "DEL" | "CHECK" | "GC";

/** One call of the plugin, by the runtime. */
export interface Call {
  readonly verb: Verb;
  /** The container; for GC what its list is like. */
  readonly id: string;
  /** Wall clock when the plugin started. */
  readonly startedAt: number;
  /** Keys of the configuration, beside the ordinary ones; read when the agent takes the request. */
  config(): Readonly<Record<string, unknown>>;
}

/** What the runtime hears of a call. */
export type Answer =
  | { readonly ok: true; readonly addresses: readonly string[] }
  /** A DEL that found no agent, and left a note. */
  | { readonly ok: true; readonly noted: true; readonly addresses: readonly [] }
  | { readonly ok: false; readonly code: number; readonly message: string };

export function netnsOf(id: string): string {
  return `/run/netns/${id}`;
}

/** A container runtime with its plugins: what they send waits at gates of their own, for plugins outlive agents. */
export class Runtime {
  readonly gates = new Gates();
  readonly #underWay = new Map<Call, Life>();
  readonly #backlog: Call[] = [];

  /** @param heard is told what became of each call, once */
  constructor(private readonly world: World, private readonly heard: (call: Call, answer: Answer) => void) {}

  /** Starts a plugin. */
  send(call: Call): void {
    void this.gates.pass(`plugin: ${call.verb} ${call.id}`, () => this.#connect(call));
  }

  /** The agent died: whoever waits for its answer reads the end of the connection. */
  hangUp(): void {
    for (const call of [...this.#underWay.keys()]) {
      this.#underWay.delete(call);
      this.#withoutAgent(call);
    }
  }

  #connect(call: Call): void {
    const { life } = this.world;
    if (life?.listening !== true) return this.#withoutAgent(call);
    this.#underWay.set(call, life);
    if (life.serving) this.#serve(call, life);
    else this.#backlog.push(call);
  }

  /** The agent takes what has waited in the socket's backlog. @returns whether there was anything */
  accept(): boolean {
    const { life } = this.world;
    if (life?.serving !== true || this.#backlog.length === 0) return false;
    for (const call of this.#backlog.splice(0)) if (this.#underWay.get(call) === life) this.#serve(call, life);
    return true;
  }

  #serve(call: Call, { node }: Life): void {
    node?.service.handle(requestOf(call)).then(
      (result) => this.#answer(call, { ok: true, addresses: addressesOf(result) }),
      (error: unknown) => this.#answer(call, failureOf(error)),
    );
  }

  #answer(call: Call, answer: Answer): void {
    if (this.#underWay.get(call) !== this.world.life) return;
    this.#underWay.delete(call);
    this.gates.activity++;
    this.heard(call, answer);
  }

  /** As src/cni does it: a DEL leaves a note and succeeds, everything else is tried again later. */
  #withoutAgent(call: Call): void {
    const { id, verb } = call;
    if (verb !== "DEL") return this.heard(call, { ok: false, code: 11, message: "the agent is gone" });
    const at = this.world.clock.wall();
    this.world.tombstones.set(id, { containerId: id, ifname: "eth0", at });
    this.heard(call, { ok: true, noted: true, addresses: [] });
  }
}

function requestOf({ verb, id, startedAt, config }: Call): Record<string, unknown> {
  const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=${id};K8S_POD_UID=uid-${id}`;
  const place = { CNI_CONTAINERID: id, CNI_NETNS: netnsOf(id), CNI_IFNAME: "eth0", CNI_ARGS: args };
  const environment = verb === "GC" ? {} : place;
  return { verb, startedAt, environment, config: { cniVersion: "1.1.0", name: "flock", type: "flock", ...config() } };
}

function addressesOf(result: unknown): string[] {
  const ips = isJsonObject(result) ? result["ips"] : undefined;
  if (!Array.isArray(ips)) return [];
  return ips.map((ip) => String(isJsonObject(ip) ? ip["address"] : "").replace(/\/\d+$/, "")).sort();
}

function failureOf(error: unknown): Answer {
  if (error instanceof CniError) return { ok: false, code: error.code, message: error.message };
  return { ok: false, code: 999, message: error instanceof Error ? error.stack ?? error.message : String(error) };
}
