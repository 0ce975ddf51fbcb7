/** The CNI plugin mode, for every verb but VERSION. */
import { runPlugin } from "./run_plugin.ts";
import { installLastResort, systemProcess } from "./system_process.ts";

/** Serves the call that the environment describes. @returns the exit code */
export function runCni(): Promise<number> {
  installLastResort(systemProcess);
  return runPlugin(systemProcess);
}
