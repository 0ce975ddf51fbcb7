/** What of a node outlasts its power. */
import { type CommandRunner, expectSuccess } from "../../src/exec/command_runner.ts";
import type { Place } from "./place.ts";

/** Ends the old place, whose processes must not see what is copied, nor change it. */
export async function moveDisk(
  runner: CommandRunner,
  { from, to, disk }: { from: Place; to: Place; disk: readonly string[] },
): Promise<void> {
  await from.exec(["/bin/sh", "-c", "kill -KILL -1"]);
  for (const path of disk) {
    await to.output(["mkdir", "-p", path]);
    const argv = ["/bin/cp", "-a", "--one-file-system", `${from.outside(path)}/.`, to.outside(path)] as const;
    expectSuccess(argv, await runner.run(argv, { timeoutMs: 60_000 }));
  }
  await from[Symbol.asyncDispose]();
}
