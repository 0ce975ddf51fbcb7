import { ALTERATIONS } from "../fakes/memory_damage.ts";

/** One thing that happens. `pod`, `pick` and the like count modulo what there is, so that every step means something in every schedule. */
export type Step =
  /** The runtime adds a container, or asks again for one that it has. */
  | { readonly do: "add"; readonly pod: number }
  /** The runtime deletes a container, whether or not its ADD has ended. */
  | { readonly do: "del"; readonly pod: number }
  | { readonly do: "check"; readonly pod: number }
  /** The CNI verb; `forget` leaves one idle container out of the list, `absent` has none. */
  | { readonly do: "gc"; readonly list: GcList; readonly pod: number }
  /** Lets so many of the waiting effects happen, beginning with one and always taking the one at that place. */
  | { readonly do: "go"; readonly pick: number; readonly count: number }
  /** One of the waiting effects fails: a spawn, a write, a call. */
  | { readonly do: "fail"; readonly pick: number }
  /** SIGKILL for the agent; `happened` says by bits which waiting effects had reached the kernel. */
  | { readonly do: "kill"; readonly happened: number }
  | { readonly do: "start" }
  | { readonly do: "reboot"; readonly kept: boolean }
  /** The sandbox dies behind everybody's back: namespace and link are gone. */
  | { readonly do: "vanish"; readonly pod: number }
  /** The path of its namespace goes, and a process keeps it alive: the link stays. */
  | { readonly do: "unname"; readonly pod: number }
  /** Somebody removes or alters what flock made. */
  | { readonly do: "drift"; readonly what: Drift; readonly pod: number }
  | { readonly do: "disk"; readonly state: "ENOSPC" | "EROFS" | "room" }
  | { readonly do: "tick"; readonly what: "drift" | "collect" | "nodeConfigs" }
  | { readonly do: "wait"; readonly ms: number }
  /** Somebody sets the wall clock. */
  | { readonly do: "set wall clock"; readonly ms: number }
  | { readonly do: "configure"; readonly which: number };

export type GcList = "all" | "forget" | "null" | "empty" | "absent";

/** What of flock's somebody may remove or alter: of a pod's path, of the packet guard, of the node as a whole. */
export const DRIFTS = [...ALTERATIONS, "grant", "foreign grant", "tables", "blackhole", "forwarding"] as const;
export type Drift = typeof DRIFTS[number];

/** How a schedule begins. */
export interface Beginning {
  /** Of the random numbers that addresses are made of. */
  readonly seed: number;
  /** How many containers there may be, 1 to 40. */
  readonly pods: number;
  /** Which NodeConfig the API has. */
  readonly config: number;
}
