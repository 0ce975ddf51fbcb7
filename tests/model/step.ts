/** One thing that happens. `pod`, `pick` and the like count modulo what there is, so that every step means something in every schedule. */
export type Step =
  /** The runtime adds a container, or asks again for one that it has. */
  | { readonly do: "add"; readonly pod: number }
  /** The runtime deletes a container, whether or not its ADD has ended. */
  | { readonly do: "del"; readonly pod: number }
  | { readonly do: "check"; readonly pod: number }
  /** The CNI verb; `forget` leaves one idle container out of the list. */
  | { readonly do: "gc"; readonly list: "all" | "forget" | "null" | "empty"; readonly pod: number }
  /** Lets so many of the waiting effects happen, beginning with one and always taking the one at that place. */
  | { readonly do: "go"; readonly pick: number; readonly count: number }
  /** One of the waiting effects fails: a spawn, a write, a call. */
  | { readonly do: "fail"; readonly pick: number }
  /** SIGKILL for the agent; `happened` says by bits which waiting effects had reached the kernel. */
  | { readonly do: "kill"; readonly happened: number }
  | { readonly do: "start" }
  | { readonly do: "reboot"; readonly kept: boolean }
  /** The sandbox dies behind everybody's back. */
  | { readonly do: "vanish"; readonly pod: number }
  | { readonly do: "disk"; readonly state: "ENOSPC" | "EROFS" | "room" }
  | { readonly do: "tick"; readonly what: "drift" | "collect" | "nodeConfigs" }
  | { readonly do: "wait"; readonly ms: number }
  /** Somebody sets the wall clock. */
  | { readonly do: "set wall clock"; readonly ms: number }
  | { readonly do: "configure"; readonly which: number };

/** How a schedule begins. */
export interface Beginning {
  /** Of the random numbers that addresses are made of. */
  readonly seed: number;
  /** How many containers there may be, 1 to 40. */
  readonly pods: number;
  /** Which NodeConfig the API has. */
  readonly config: number;
}
