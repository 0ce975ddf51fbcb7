/**
 * The root file system that the Dockerfile's last stage makes, without Docker: Debian's own packages and the stage's
 * commands.
 */
import { expectSuccess } from "../../src/exec/command_runner.ts";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { ensurePackages } from "../lab/packages.ts";
import { exists } from "../lab/until.ts";
import { parseDockerfile, type Stage, textsOf } from "./dockerfile.ts";

const CHECKOUT = new URL("../../", import.meta.url).pathname;
const CACHE = `${CHECKOUT}dist/image`;
const TIMEOUT_MS = 400_000;
/** What Debian's slim images leave out. */
const SLIM = ["man", "doc", "locale", "info"].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);

/** @returns the stage that becomes the image */
export async function runtimeStage(): Promise<Stage> {
  const stage = parseDockerfile(await Deno.readTextFile(`${CHECKOUT}Dockerfile`)).at(-1);
  if (stage === undefined) throw new Error("Cannot find the runtime stage: the Dockerfile has none");
  return stage;
}

/**
 * Makes the root, or takes the one that an earlier call for the same Dockerfile left under dist/: it takes half a
 * minute. Calls of several processes wait for each other. Needs root, Debian's mirror, and installs mmdebstrap.
 *
 * @returns the path of a tar archive, uncompressed, without flock in it; not to be changed
 */
export async function makeRuntimeRoot(): Promise<string> {
  const stage = await runtimeStage();
  await Deno.mkdir(CACHE, { recursive: true });
  using lock = await Deno.open(`${CACHE}/lock`, { create: true, write: true });
  await lock.lock(true);
  const name = `root-${await hashOf(stage)}.tar`;
  if (!await exists(`${CACHE}/${name}`)) await buildRoot(stage, `${CACHE}/${name}`);
  return `${CACHE}/${name}`;
}

async function buildRoot(stage: Stage, archive: string): Promise<void> {
  const runner = createSystemRunner();
  await ensurePackages(["mmdebstrap"], { runner });
  for await (const { name } of Deno.readDir(CACHE)) {
    if (name !== "lock") await Deno.remove(`${CACHE}/${name}`, { recursive: true });
  }
  const work = `${CACHE}/work`;
  await Deno.mkdir(work);
  const hooks = textsOf(stage, "RUN").map((command) => `--customize-hook=chroot "$1" /bin/sh -c ${quote(command)}`);
  const argv = ["/usr/bin/env", ...environment(work), "mmdebstrap", "--variant=minbase", ...SLIM, ...hooks] as const;
  const made = `${work}/root.tar`;
  expectSuccess(["mmdebstrap"], await runner.run([...argv, suiteOf(stage), made], { timeoutMs: TIMEOUT_MS }));
  await Deno.rename(made, archive);
  await Deno.remove(work, { recursive: true });
}

/** `debian:bookworm-slim` is the suite bookworm. */
function suiteOf({ from }: Stage): string {
  const [, suite] = /^debian:([a-z]+)-slim$/.exec(from) ?? [];
  if (suite === undefined) throw new Error(`Cannot make ${from}: only debian:SUITE-slim can be made here`);
  return suite;
}

async function hashOf(stage: Stage): Promise<string> {
  const text = new TextEncoder().encode(JSON.stringify([stage.from, ...textsOf(stage, "RUN"), ...SLIM]));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", text)).toHex().slice(0, 16);
}

/** mmdebstrap's own temporary files go where the next call removes what a killed one left. */
function environment(temporary: string): string[] {
  const proxies = ["http_proxy", "https_proxy", "no_proxy"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [`${name}=${value}`];
  });
  return ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", `TMPDIR=${temporary}`, ...proxies];
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
