/** Schedules as fast-check makes and shrinks them. */
import fc from "fast-check";
import { finish } from "./finish.ts";
import type { Model } from "./model.ts";
import { Rig, type VisibleGround } from "./rig.ts";
import { type Beginning, DRIFTS, type GcList, type Step } from "./step.ts";
import type { Parts } from "./life.ts";

/** Longest schedule. */
const MAX_STEPS = 40;

/** A beginning, and steps that make sense when they come: the agent is started only where it is dead, and so on. */
class StepCommand implements fc.AsyncCommand<Model, Rig> {
  constructor(readonly step: Step) {}

  check(model: Readonly<Model>): boolean {
    const needsAgent = ["kill", "fail", "tick"].includes(this.step.do);
    return this.step.do === "start" ? !model.alive : !needsAgent || model.alive;
  }

  run(_: Model, rig: Rig): Promise<void> {
    return rig.play(this.step);
  }

  toString(): string {
    return JSON.stringify(this.step);
  }
}

const POD = fc.nat(39);
const PICK = fc.nat(50);
/** Of effects: a few, or about all that there are. */
const COUNT = fc.oneof({ weight: 2, arbitrary: fc.integer({ min: 1, max: 8 }) }, {
  weight: 1,
  arbitrary: fc.integer({ min: 15, max: 40 }),
});

const STEP: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant("add" as const), pod: POD }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("del" as const), pod: POD }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("check" as const), pod: POD }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("gc" as const),
      list: fc.constantFrom<GcList[]>("all", "forget", "null", "empty", "absent"),
      pod: POD,
    }),
  },
  {
    weight: 30,
    arbitrary: fc.record({ do: fc.constant("go" as const), pick: PICK, count: COUNT }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("fail" as const), pick: PICK }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("kill" as const), happened: fc.nat(65535) }) },
  { weight: 12, arbitrary: fc.constant({ do: "start" as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reboot" as const), kept: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("vanish" as const), pod: POD }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unname" as const), pod: POD }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("drift" as const), what: fc.constantFrom(...DRIFTS), pod: POD }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("disk" as const),
      state: fc.constantFrom("ENOSPC" as const, "EROFS" as const, "room" as const, "room" as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("tick" as const),
      what: fc.constantFrom("drift" as const, "collect" as const, "nodeConfigs" as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(20, 1_000, 12_000, 31_000, 61_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("set wall clock" as const),
      ms: fc.constantFrom(-86_400_000, -3_000, 3_600_000, 315_360_000_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("configure" as const), which: fc.nat(7) }) },
);

const BEGINNING: fc.Arbitrary<Beginning> = fc.record({
  seed: fc.nat(),
  pods: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 40 })),
  config: fc.nat(5),
});

export interface ScheduleOptions {
  readonly ground: () => VisibleGround;
  readonly parts?: Partial<Parts>;
  readonly maxSteps?: number;
  /** Called before each schedule, where the ground is the same for all. */
  begin?(): Promise<void>;
  /** Makes the very schedule of an earlier failure: what its report calls replayPath. */
  readonly replayPath?: string;
}

/** @returns the property that any schedule ends well, for `fc.check` and `fc.assert` */
export function anySchedule(
  { ground, parts, maxSteps = MAX_STEPS, replayPath, begin }: ScheduleOptions,
): fc.IAsyncProperty<[Beginning, Iterable<fc.AsyncCommand<Model, Rig>>]> {
  const commands = fc.commands<Model, Rig, false>([STEP.map((step) => new StepCommand(step))], {
    ...{ maxCommands: maxSteps, size: "max" },
    ...replayPath !== undefined && { replayPath },
  });
  return fc.asyncProperty(BEGINNING, commands, async (beginning, steps) => {
    await begin?.();
    const rig = new Rig(beginning, { ground: ground(), ...parts && { parts } });
    await rig.begin();
    await fc.asyncModelRun(() => ({ model: rig.model, real: rig }), steps);
    await finish(rig);
  });
}

/** Plays a schedule that was written down. @throws AssertionError */
export async function playSchedule(
  beginning: Beginning,
  steps: readonly Step[],
  { ground, parts }: Pick<ScheduleOptions, "ground" | "parts">,
): Promise<void> {
  const rig = new Rig(beginning, { ground: ground(), ...parts && { parts } });
  await rig.begin();
  for (const step of steps) await rig.play(step);
  await finish(rig);
}
