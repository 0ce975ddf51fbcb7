import { formatTime, type Screen } from "./screen.ts";
import type { Cast } from "./story.ts";

/** @returns the last lines: who has which address, what held, and how long it took; they fit one screen */
export function renderSummary(
  { outcomes, paint }: Screen,
  { cast, milliseconds }: { readonly cast: Cast; readonly milliseconds: number },
): string[] {
  const failed = outcomes.filter(({ passed }) => !passed);
  const verdict = failed.length === 0
    ? paint(`all ${outcomes.length} steps held`, "green")
    : paint(`${failed.length} of ${outcomes.length} steps did not hold`, "red");
  const time = (title: string): string => {
    const outcome = outcomes.find((outcome) => outcome.title.startsWith(title));
    return outcome === undefined ? "-" : formatTime(outcome.milliseconds);
  };
  const pods = [{ pod: cast.red, on: "node-a" }, { pod: cast.green, on: "node-a" }, { pod: cast.blue, on: "node-b" }];
  const rule = paint("-".repeat(78), "dim");
  return [
    "",
    rule,
    ...pods.map(({ pod, on }) => `  ${pod.name.padEnd(8)} ${on}   ${pod.address(6).padEnd(40)} ${pod.address(4)}`),
    rule,
    `  network and API server      ${time("router, two nodes")}`,
    `  nodes ready for pods        ${time("NodeConfigs")}`,
    `  routes in the router's FIB  ${time("BGP sessions")} later`,
    `  sandboxes by containerd     ${cast.sandboxTimes.map(formatTime).join(", ")}`,
    `  all of it                   ${formatTime(milliseconds)}`,
    rule,
    `  ${verdict}`,
    ...failed.map(({ title, detail }) => `  ${paint(title, "red")}: ${detail}`),
    "",
  ];
}
