import type { Case } from "./case.ts";
import { CNI_CASES } from "./cni_cases.ts";
import { FAILURE_CASES } from "./failure_cases.ts";
import { POLICY_CASES } from "./policy_cases.ts";

/** Every case that flock is held to, in the order in which they are listed. */
export const ALL_CASES: readonly Case[] = [...CNI_CASES, ...FAILURE_CASES, ...POLICY_CASES];
