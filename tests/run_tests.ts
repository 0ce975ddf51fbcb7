// deno-lint-ignore-file no-console -- a task that prints
/**
 * `deno task test`: the gate, the build, and every test that needs root, Linux and real parts, against what was built.
 * Installs the Debian packages that it needs. What cannot run here is skipped out loud.
 */
import { createSystemRunner } from "../src/exec/system_runner.ts";
import { parseJunit, type TestReport } from "./junit_report.ts";
import { ensurePackages, LAB_PACKAGES } from "./lab/packages.ts";

interface RunResult {
  readonly code: number;
  readonly report: TestReport;
}

const ROOT = new URL("..", import.meta.url).pathname;

async function main(): Promise<number> {
  const complete = Deno.build.os === "linux" && Deno.uid() === 0;
  if (complete) { // before the gate: some of its tests look at processes by procps
    await ensurePackages([...LAB_PACKAGES, "iptables", "prometheus", "strace"], {
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
  const runs = await runAll(await linuxTests());
  printVerdict(runs.map(({ report }) => report));
  return Math.max(...runs.map(({ code }) => code));
}

/**
 * Ten thousand schedules have a minute and take both cores, so they run first. Then tests of whole clusters, which
 * mostly wait (for BGP, for the API server), beside those of parts, which mostly work, and those that wait for the real
 * Kubernetes (its API server sends a bookmark a minute); whoever is done with these takes clusters from the other end.
 */
async function runAll(files: readonly string[]): Promise<RunResult[]> {
  const of = (lane: Lane): string[] => files.filter((file) => laneOf(file) === lane);
  const clusters = of("clusters");
  const model = await run(of("model"));
  const thenClusters = async (lane: Lane): Promise<RunResult[]> => [
    await run(of(lane)),
    ...await runEach(() => clusters.pop()),
  ];
  const runs = await Promise.all([thenClusters("waiting"), runEach(() => clusters.shift()), thenClusters("parts")]);
  return [model, ...runs.flat()];
}

/** The failures at the very end: of a long log people often see no more. */
function printVerdict(reports: readonly TestReport[]): void {
  const failures = reports.flatMap((report) => report.failures);
  for (const failure of failures) console.log(`FAILED ${failure}`);
  const sum = (what: "passed" | "skipped"): number => reports.reduce((total, report) => total + report[what], 0);
  console.log(`\n${sum("passed")} passed, ${failures.length} failed, ${sum("skipped")} skipped`);
}

async function runEach(next: () => string | undefined): Promise<RunResult[]> {
  const runs: RunResult[] = [];
  for (let file = next(); file !== undefined; file = next()) runs.push(await run([file]));
  return runs;
}

/** Prints what the tests wrote when all have ended: several runs at once would mix their lines. */
async function run(files: readonly string[]): Promise<RunResult> {
  const path = await Deno.makeTempFile({ prefix: "flock-junit-" });
  try {
    const { code, output } = await denoQuietly(["test", "-A", "--no-check", `--junit-path=${path}`, ...files]);
    console.log(output);
    return { code, report: parseJunit(await Deno.readTextFile(path)) };
  } finally {
    await Deno.remove(path);
  }
}

type Lane = "model" | "waiting" | "clusters" | "parts";

function laneOf(file: string): Lane {
  if (file.endsWith("/ten_thousand_linux_test.ts")) return "model";
  if (file.endsWith("/api/contract_linux_test.ts") || file.includes("/tests/cluster/")) return "waiting";
  return file.includes("/tests/e2e/") ? "clusters" : "parts";
}

function skipOutLoud(): void {
  if (Deno.env.get("KUBEBUILDER_ASSETS") !== undefined) return;
  console.error(
    "test: SKIPPED the real kube-apiserver, kubelet and containerd 2.4; run: KUBEBUILDER_ASSETS=DIR npx -y deno@2.9.6 task test",
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
