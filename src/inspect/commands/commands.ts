import { address } from "./address.ts";
import { allowed } from "./allowed.ts";
import { anycast } from "./anycast.ts";
import { bgp } from "./bgp.ts";
import type { Command } from "./command.ts";
import { drift } from "./drift.ts";
import { ipam } from "./ipam.ts";
import { pod } from "./pod.ts";
import { pods } from "./pods.ts";
import { policy } from "./policy.ts";
import { routes } from "./routes.ts";
import { summary } from "./summary.ts";

/** Every command, in the order of the usage text. The first is what `flock inspect` does when it is told nothing. */
export const COMMANDS: readonly [Command, ...Command[]] = [
  summary,
  pods,
  pod,
  ipam,
  routes,
  bgp,
  anycast,
  address,
  policy,
  allowed,
  drift,
];
