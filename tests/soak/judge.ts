/** What must be on a node, compared with what is. Pure. */
import { judgeBird } from "./checks/bird.ts";
import { judgeEnds } from "./checks/ends.ts";
import { type Expectation, sourcesOf } from "./checks/expectation.ts";
import { judgeFiles } from "./checks/files.ts";
import { judgeForeign } from "./checks/foreign.ts";
import { judgeGuard } from "./checks/guard.ts";
import { judgePods } from "./checks/pods.ts";
import { judgeProcesses } from "./checks/processes.ts";
import { judgeRoutes } from "./checks/routes.ts";
import { judgeState } from "./checks/state.ts";
import { judgeStatus } from "./checks/status.ts";
import { judgeSysctls } from "./checks/sysctls.ts";
import type { Baseline, NodeSight } from "./sight.ts";

/** @returns one line for each thing that is wrong; none: all is well */
export function judgeNode(sight: NodeSight, expected: Expectation & Baseline): string[] {
  const { kernel, guard, foreign, pods, state, bird, runtime, files, processes, api } = sight;
  const { allocations } = state;
  const owed = allocations.filter(({ containerId }) => expected.owed.has(containerId))
    .map(({ containerId, addresses, anycast }) => ({ id: containerId, addresses, anycast }));
  return [
    ...judgeState(state, expected),
    ...judgePods({ runtime, allocations, ...(api === undefined ? {} : { api: api.pods }) }, expected),
    ...judgeEnds({ kernel, pods }, expected),
    ...judgeSysctls(kernel, expected),
    ...judgeRoutes(kernel, expected),
    ...judgeGuard(guard, { ...expected, owed: sourcesOf(owed), told: api !== undefined }),
    ...judgeForeign(foreign, expected.foreign),
    ...judgeBird(bird, expected),
    ...judgeFiles(files),
    ...judgeProcesses(processes, expected),
    ...(api === undefined ? [] : judgeStatus(api.status, expected)),
  ];
}
