/** What the demo shows while it runs: one line for each step, with its time, in colours where the terminal has them. */

const CHECK = "\u2713";
const CROSS = "\u2717";
const SPINNER = ["\u280b", "\u2819", "\u2839", "\u2838", "\u283c", "\u2834", "\u2826", "\u2827", "\u2807", "\u280f"];
const TITLE_WIDTH = 46;

/** How a step ended. */
export interface Outcome {
  readonly title: string;
  /** What was found out, or why it failed. */
  readonly detail: string;
  readonly passed: boolean;
  readonly milliseconds: number;
}

export type Colour = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

const CODES: Readonly<Record<Colour, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

export interface Screen {
  /** Of every step so far, in order. */
  readonly outcomes: readonly Outcome[];
  paint(text: string, colour: Colour): string;
  print(line?: string): void;
  heading(text: string): void;
  /** Shows the step while it runs and how it ended; `describe` words its result. @throws what the task throws */
  step<T>(title: string, task: () => Promise<T>, describe?: (result: T) => string): Promise<T>;
  /** Like step, but a failure is shown and counted, and the demo goes on. */
  check(title: string, task: () => Promise<string>): Promise<void>;
}

/** @param options.terminal with colours and a moving sign of life; else plain lines */
export function createScreen(options: { readonly write: (text: string) => void; readonly terminal: boolean }): Screen {
  const { write, terminal } = options;
  const outcomes: Outcome[] = [];
  const paint = (text: string, colour: Colour): string => terminal ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
  const show = (outcome: Outcome): void => {
    outcomes.push(outcome);
    write(`${terminal ? "\r\x1b[K" : ""}${renderOutcome(outcome, paint)}\n`);
  };
  const step: Screen["step"] = async (title, task, describe = () => "") => {
    const start = performance.now();
    const stopSpinner = terminal ? spin(write, title) : () => {};
    try {
      const result = await task();
      stopSpinner();
      show({ title, detail: describe(result), passed: true, milliseconds: performance.now() - start });
      return result;
    } catch (error) {
      stopSpinner();
      show({ title, detail: messageOf(error), passed: false, milliseconds: performance.now() - start });
      throw error;
    }
  };
  return {
    outcomes,
    paint,
    print: (line = "") => write(`${line}\n`),
    heading: (text) => write(`\n${paint(text, "bold")}\n`),
    step,
    check: async (title, task) => {
      await step(title, task, (detail) => detail).catch(() => {});
    },
  };
}

function renderOutcome({ title, detail, passed, milliseconds }: Outcome, paint: Screen["paint"]): string {
  const sign = passed ? paint(CHECK, "green") : paint(CROSS, "red");
  const time = paint(formatTime(milliseconds).padStart(8), "dim");
  return `  ${sign} ${title.padEnd(TITLE_WIDTH)} ${time}  ${passed ? detail : paint(detail, "red")}`;
}

/** @returns `12 ms` or `3.4 s` */
export function formatTime(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

function spin(write: (text: string) => void, title: string): () => void {
  let frame = 0;
  const draw = (): void => write(`\r\x1b[K  ${SPINNER[frame++ % SPINNER.length]} ${title}`);
  draw();
  const timer = setInterval(draw, 80);
  return () => clearInterval(timer);
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll("\n", " ").slice(0, 300);
}
