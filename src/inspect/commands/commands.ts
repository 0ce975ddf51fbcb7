import type { Command } from "./command.ts";
import { allowed } from "./allowed.ts";
import { anycast } from "./anycast.ts";
import { bgp } from "./bgp.ts";
import { policy } from "./policy.ts";
import { summary } from "./summary.ts";

/** Every command, in the order of the usage text. The first is what `flock inspect` does when it is told nothing. */
export const COMMANDS: readonly [Command, ...Command[]] = [summary, policy, allowed, anycast, bgp];
