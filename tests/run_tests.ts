// deno-lint-ignore-file no-console -- a task that prints
/**
 * `deno task test`: the gate, the build, and every test that needs root, Linux and real parts, against what was built. Installs the
 * Debian packages that it needs. What cannot run here is skipped out loud.
 */
import { createSystemRunner } from "../src/exec/system_runner.ts";
import { parseJunit, type TestReport } from "./junit_report.ts";
import { ensurePackages, LAB_PACKAGES } from "./lab/packages.ts";

interface LaneResult {
  readonly code: number;
  readonly report: TestReport;
  /** What the tests wrote, when the terminal did not get it. */
  readonly output: string;
}

const ROOT = new URL("..", import.meta.url).pathname;

async function main(): Promise<number> {
  const complete = Deno.build.os === "linux" && Deno.uid() === 0;
  if (complete) { // before the gate: some of its tests look at processes by procps
    await ensurePackages([...LAB_PACKAGES, "strace"], {
      runner: createSystemRunner(),
      progress: (what) => console.error(`test: ${what}`),
    });
  }
  const gate = await task("ok");
  if (gate !== 0) return gate;
  if (!complete) {
    console.error(
      "test: SKIPPED every test of kernel, BIRD, FRR and containerd: they need Linux and root; run: sudo npx -y deno@2.9.6 task test",
    );
    return 0;
  }
  const built = await task("build");
  if (built !== 0) return built;
  skipOutLoud();
  const model = await runLane("model", { told: true });
  const [clusters, parts] = await Promise.all([runLane("clusters", { told: true }), runLane("parts", { told: false })]);
  console.log(parts.output);
  const lanes = [model, clusters, parts];
  printVerdict(lanes.map(({ report }) => report));
  return Math.max(...lanes.map(({ code }) => code));
}

/** The failures at the very end: of a long log people often see no more. */
function printVerdict(reports: readonly TestReport[]): void {
  const failures = reports.flatMap((report) => report.failures);
  for (const failure of failures) console.log(`FAILED ${failure}`);
  const sum = (what: "passed" | "skipped"): number => reports.reduce((total, report) => total + report[what], 0);
  console.log(`\n${sum("passed")} passed, ${failures.length} failed, ${sum("skipped")} skipped`);
}

/** Ten thousand schedules have a minute and take both cores; they run before the others. */
type Lane = "model" | "clusters" | "parts";

/**
 * Tests of whole clusters mostly wait (for BGP, for the API server), those of parts mostly work: side by side they take two thirds of
 * the time.
 *
 * @param options.told whether the terminal gets what the tests say while they run; else it is handed back
 */
async function runLane(lane: Lane, { told }: { told: boolean }): Promise<LaneResult> {
  const path = `${ROOT}dist/junit_${lane}.xml`;
  const files = (await linuxTests()).filter((file) => laneOf(file) === lane);
  const args = ["test", "-A", "--no-check", `--junit-path=${path}`, ...files];
  await Deno.remove(path).catch(() => {});
  const { code, output } = told ? { code: await deno(args), output: "" } : await denoQuietly(args);
  return { code, output, report: parseJunit(await Deno.readTextFile(path).catch(() => "")) };
}

function laneOf(file: string): Lane {
  if (file.endsWith("/ten_thousand_linux_test.ts")) return "model";
  return file.includes("/tests/e2e/") ? "clusters" : "parts";
}

function skipOutLoud(): void {
  if (Deno.env.get("KUBEBUILDER_ASSETS") !== undefined) return;
  console.error(
    "test: SKIPPED the real kube-apiserver and containerd 2.4; run: KUBEBUILDER_ASSETS=DIR npx -y deno@2.9.6 task test",
  );
}

async function linuxTests(): Promise<string[]> {
  const found: string[] = [];
  for (const directory of ["src", "tests"]) await collect(`${ROOT}${directory}`, found);
  return found.sort();
}

async function collect(directory: string, found: string[]): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    if (isDirectory) await collect(`${directory}/${name}`, found);
    else if (name.endsWith("_linux_test.ts")) found.push(`${directory}/${name}`);
  }
}

function task(name: string): Promise<number> {
  return deno(["task", "--quiet", name]);
}

async function deno(args: readonly string[]): Promise<number> {
  const command = new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT, stdin: "null" });
  return (await command.spawn().status).code;
}

async function denoQuietly(args: readonly string[]): Promise<{ code: number; output: string }> {
  const command = new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT, stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  return { code, output: [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n") };
}

main().then(Deno.exit);
