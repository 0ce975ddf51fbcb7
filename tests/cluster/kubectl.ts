import { record } from "../lab/json.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import type { Place } from "../lab/place.ts";

/** kubectl on the control plane, as the administrator. */
export interface Kubectl {
  /** @returns standard output. @throws CommandFailed with what it wrote to standard error */
  run(...args: readonly string[]): Promise<string>;
  /** Runs a script as it stands somewhere, in which `kubectl` is this one. @returns standard output. @throws CommandFailed */
  script(text: string, options: { readonly cwd: string }): Promise<string>;
  /** Like run, but expects the server to refuse. @returns standard error. @throws when it succeeds */
  refused(args: readonly string[], stdin?: string): Promise<string>;
  /** Applies a manifest: text, or objects of any kind. @throws CommandFailed with the server's message */
  apply(manifest: string | readonly KubeObject[]): Promise<void>;
  /** @returns the object that `kubectl get ARGS -o json` prints. @throws CommandFailed when there is none */
  get(...args: readonly string[]): Promise<KubeObject>;
}

const TIMEOUT_MS = 60_000;
/** A script waits for what it asks for. */
const SCRIPT_TIMEOUT_MS = 180_000;

/** @param options.path the program; `kubeconfig` and `cacheDir` lie inside the place */
export function createKubectl(
  place: Place,
  { path, kubeconfig, cacheDir }: { readonly path: string; readonly kubeconfig: string; readonly cacheDir: string },
): Kubectl {
  const words = [path, "--kubeconfig", kubeconfig, "--cache-dir", cacheDir];
  const run = (args: readonly string[], stdin = ""): Promise<string> =>
    place.output([...words, ...args], { stdin, timeoutMs: TIMEOUT_MS });
  return {
    run: (...args) => run(args),
    script: (text, { cwd }) => {
      const quoted = words.map((word) => `'${word}'`).join(" ");
      const argv = ["/bin/sh", "-euc", `cd "$0"\nkubectl() { ${quoted} "$@"; }\n${text}`, cwd];
      return place.output(argv, { timeoutMs: SCRIPT_TIMEOUT_MS });
    },
    refused: async (args, stdin = "") => {
      const { code, stderr } = await place.exec([...words, ...args], { stdin, timeoutMs: TIMEOUT_MS });
      if (code === 0) throw new Error(`Cannot see kubectl ${args.join(" ")} refused: it succeeded`);
      return stderr;
    },
    apply: async (manifest) => {
      const text = typeof manifest === "string" ? manifest : renderList(manifest);
      await run(["apply", "-f", "-"], text);
    },
    get: async (...args) => record(JSON.parse(await run(["get", ...args, "-o", "json"]))),
  };
}

/** @returns the objects as one text for `-f -` */
export function renderList(items: readonly KubeObject[]): string {
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}
