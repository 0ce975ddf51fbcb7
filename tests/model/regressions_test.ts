/** Schedules that once broke a rule, as they were shrunk, and some that take long by nature. */
import { MemoryGround } from "./memory_ground.ts";
import { playSchedule } from "./schedules.ts";
import type { Beginning, Step } from "./step.ts";

interface Regression {
  readonly rule: string;
  readonly beginning: Beginning;
  readonly steps: readonly Step[];
}

const go = (count: number, pick = 0): Step => ({ do: "go", pick, count });
const ONE: Beginning = { seed: 0, pods: 1, config: 0 };

const REGRESSIONS: readonly Regression[] = [
  {
    rule: "an ADD that is undone while the guard's table is replaced leaves no grant",
    beginning: ONE,
    steps: [
      { do: "reboot", kept: false },
      { do: "start" },
      go(4),
      { do: "add", pod: 0 },
      { do: "fail", pick: 0 },
      { do: "del", pod: 0 },
    ],
  },
  {
    rule: "an ADD that is undone while the prefixes of the cluster's pods are remembered leaves no grant",
    beginning: ONE,
    steps: [
      { do: "add", pod: 0 },
      go(15),
      { do: "vanish", pod: 0 },
      { do: "configure", which: 1 },
      { do: "add", pod: 0 },
      go(1),
    ],
  },
  {
    rule: "a DEL of what the memory has dropped, and the disk has not, is written before it is answered",
    beginning: ONE,
    steps: [
      { do: "add", pod: 0 },
      go(5, 15),
      go(7),
      go(5),
      { do: "disk", state: "ENOSPC" },
      go(4),
      go(6),
      go(7),
    ],
  },
  {
    rule: "a repeated ADD cuts no running pod off for a grant too many",
    beginning: ONE,
    steps: [
      { do: "disk", state: "ENOSPC" },
      { do: "configure", which: 1 },
      go(3),
      { do: "add", pod: 0 },
      { do: "add", pod: 0 },
      go(7, 44),
      { do: "configure", which: 0 },
      { do: "add", pod: 0 },
      go(7, 14),
      go(2),
    ],
  },
  {
    rule: "an ADD whose plugin started before a DEL that found no agent does not outlive it",
    beginning: ONE,
    steps: [
      { do: "del", pod: 0 },
      go(1),
      { do: "add", pod: 0 },
      { do: "del", pod: 0 },
      go(4, 38),
      { do: "gc", list: "all", pod: 0 },
      go(6, 5),
      go(1),
    ],
  },
  {
    rule: "a repeated ADD after a crash between rename and sync gets what the crash left",
    beginning: { seed: 0, pods: 2, config: 0 },
    steps: [
      { do: "add", pod: 0 },
      go(2),
      go(8),
      { do: "add", pod: 0 },
      go(2),
      { do: "del", pod: 0 },
      go(5),
      go(2),
      go(2),
      { do: "add", pod: 3 },
      go(6),
      { do: "fail", pick: 21 },
      go(8),
      go(5),
      { do: "kill", happened: 20139 },
      { do: "add", pod: 3 },
      { do: "start" },
      go(3, 31),
    ],
  },
  {
    rule: "the note of a DEL cuts off no pod that was added after it, though the wall clock was set back",
    beginning: { seed: 0, pods: 21, config: 0 },
    steps: [
      { do: "del", pod: 0 },
      go(2, 7),
      { do: "del", pod: 1 },
      go(5),
      { do: "set wall clock", ms: -86_400_000 },
      { do: "add", pod: 22 },
      { do: "add", pod: 0 },
    ],
  },
  {
    rule: "what a full disk undid of an ADD is granted to nobody",
    beginning: ONE,
    steps: [
      { do: "tick", what: "drift" },
      go(7),
      { do: "configure", which: 1 },
      { do: "add", pod: 0 },
      go(2),
      { do: "disk", state: "ENOSPC" },
      { do: "del", pod: 0 },
      go(8, 37),
    ],
  },
  {
    rule: "the note of a DEL outlives a crash until the disk has taken what it says",
    beginning: ONE,
    steps: [
      { do: "add", pod: 0 },
      go(7),
      go(5),
      { do: "del", pod: 0 },
      { do: "disk", state: "EROFS" },
      { do: "kill", happened: 0 },
      { do: "start" },
      go(6),
      { do: "kill", happened: 0 },
      { do: "start" },
    ],
  },
  {
    rule: "a note that waits for the disk deletes nothing twice",
    beginning: ONE,
    steps: [
      { do: "disk", state: "ENOSPC" },
      { do: "reboot", kept: false },
      { do: "del", pod: 0 },
      { do: "start" },
      go(1),
      go(7),
      go(7),
      { do: "set wall clock", ms: -86_400_000 },
      { do: "add", pod: 0 },
      go(4, 11),
    ],
  },
  {
    rule: "a note that replaces another one while that is read is not lost with it",
    beginning: ONE,
    steps: [
      { do: "kill", happened: 0 },
      { do: "del", pod: 0 },
      { do: "start" },
      go(1),
      { do: "add", pod: 0 },
      { do: "add", pod: 0 },
      { do: "del", pod: 0 },
      go(15, 47),
      { do: "wait", ms: 20 },
    ],
  },
  {
    rule: "an address rests though the wall clock was set during its DEL",
    beginning: { seed: 0, pods: 1, config: 5 },
    steps: [
      { do: "add", pod: 0 },
      go(15),
      { do: "del", pod: 0 },
      go(1),
      { do: "set wall clock", ms: 3_600_000 },
      go(6),
      { do: "add", pod: 0 },
      go(15),
    ],
  },
  {
    rule: "whose rest nobody can tell, since the wall clock was set before a reboot, may be given out after others",
    beginning: ONE,
    steps: [
      { do: "add", pod: 0 },
      go(6),
      { do: "fail", pick: 0 },
      { do: "add", pod: 0 },
      go(15),
      { do: "set wall clock", ms: -86_400_000 },
      { do: "del", pod: 0 },
      go(16),
      { do: "add", pod: 0 },
      go(15),
      { do: "reboot", kept: false },
      { do: "start" },
      go(4),
      { do: "add", pod: 0 },
    ],
  },
  {
    rule: "a sandbox that has lost its link and then its path is dead",
    beginning: ONE,
    steps: [
      { do: "add", pod: 0 },
      go(15),
      { do: "drift", what: "link", pod: 0 },
      { do: "unname", pod: 0 },
    ],
  },
  {
    rule: "a link that was half made anew when the agent died is whole soon after the next one starts",
    beginning: ONE,
    steps: [
      { do: "add", pod: 0 },
      go(15),
      { do: "drift", what: "link", pod: 0 },
      { do: "tick", what: "drift" },
      go(4),
      { do: "kill", happened: 0 },
      { do: "start" },
    ],
  },
  {
    rule: "a note whose deletion the disk has taken since cuts off nothing that was added after it, over a crash too",
    beginning: ONE,
    steps: [
      { do: "disk", state: "ENOSPC" },
      { do: "del", pod: 0 },
      { do: "kill", happened: 0 },
      { do: "start" },
      go(18),
      { do: "add", pod: 0 },
      { do: "disk", state: "room" },
      go(16),
      { do: "kill", happened: 0 },
    ],
  },
  {
    rule: "an agent that stalls for 250 s with an ADD under way leaves nothing of it once its DEL has come",
    beginning: ONE,
    steps: [
      { do: "add", pod: 0 },
      go(7),
      { do: "wait", ms: 250_000 },
      { do: "del", pod: 0 },
      go(1),
      { do: "wait", ms: 250_000 },
      go(3),
      { do: "add", pod: 0 },
    ],
  },
  {
    rule:
      "while the API server says nothing for ten minutes an ADD waits, DELs are done, and no running pod is touched",
    beginning: { seed: 1, pods: 4, config: 1 },
    steps: [
      { do: "add", pod: 0 },
      { do: "add", pod: 1 },
      ...Array.from({ length: 40 }, () => go(1)),
      { do: "add", pod: 2 },
      go(1),
      ...Array.from({ length: 60 }, (): Step[] => [{ do: "wait", ms: 10_000 }, { do: "tick", what: "collect" }]).flat(),
      { do: "del", pod: 1 },
      go(8, 1),
      { do: "fail", pick: 0 },
    ],
  },
];

for (const { rule, beginning, steps } of REGRESSIONS) {
  Deno.test(rule, () => playSchedule(beginning, steps, { ground: () => new MemoryGround() }));
}
