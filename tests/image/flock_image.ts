/**
 * flock's image, as the Dockerfile makes it, for machines without Docker: the runtime stage's root, and dist/flock on
 * top.
 */
import { type Argv, expectSuccess } from "../../src/exec/command_runner.ts";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { configOf, type Stage, textsOf } from "./dockerfile.ts";
import { writeOciArchive } from "./oci_archive.ts";
import { makeRuntimeRoot, runtimeStage } from "./runtime_root.ts";

const EXECUTABLE = new URL("../../dist/flock", import.meta.url).pathname;
const REFERENCE = "localhost/flock:test";
const TIMEOUT_MS = 60_000;
/** In its cache Deno keeps itself once more, for programs that start `node`. */
const SECOND_DENO = "node_compat_bin";

export interface FlockImage {
  /** An OCI archive: `ctr --namespace k8s.io images import ARCHIVE`. */
  readonly archive: string;
  /** The name that it has then; a pod that runs it needs `imagePullPolicy: Never` or `IfNotPresent`. */
  readonly reference: string;
}

/**
 * Makes the image of dist/flock, which must be built. Takes half a minute when the runtime stage's root is not yet
 * there, else seconds.
 *
 * Where dist/flock is a launcher, the image holds it, its `lib` and the Deno that it names, all under the paths that
 * the launcher names. So the very file runs in a container and, installed from there, on a node that shows this
 * machine's files under their paths, as nodes made of mount namespaces do; a compiled one runs anywhere.
 *
 * The image's user is nobody, as the Dockerfile says: pods that need root say `runAsUser: 0`.
 *
 * @param options.into an existing directory, for the archive and what it is made of
 */
export async function makeFlockImage({ into }: { into: string }): Promise<FlockImage> {
  const stage = await runtimeStage();
  const layers = [await makeRuntimeRoot(), await makeFlockLayer(stage, into)];
  const archive = await writeOciArchive({ reference: REFERENCE, layers, config: configOf(stage) }, { into });
  return { archive, reference: REFERENCE };
}

/** @returns the path of an archive of what the runtime stage copies from the other one */
export async function makeFlockLayer(stage: Stage, into: string): Promise<string> {
  const root = `${into}/flock-root`;
  const [, target] = textsOf(stage, "COPY").map((text) => text.split(" ").slice(-2)).at(0) ?? [];
  if (target === undefined) throw new Error("Cannot make flock's layer: the Dockerfile's last stage copies nothing");
  await copy(EXECUTABLE, `${root}${target}`);
  for (const path of await launchedFrom(EXECUTABLE)) await copy(path, `${root}${path}`);
  const layer = `${into}/flock-layer.tar`;
  const same = ["--owner=0", "--group=0", "--mtime=@0", "--sort=name", "--mode=u+rwX,go+rX,go-w"];
  const without = `--exclude=${SECOND_DENO}`;
  await run(["/usr/bin/tar", "--create", "--file", layer, ...same, without, "--directory", root, "."]);
  await Deno.remove(root, { recursive: true });
  return layer;
}

/** @returns what a launcher needs beside itself: its Deno and its lib; of a compiled executable nothing */
async function launchedFrom(executable: string): Promise<string[]> {
  const text = new TextDecoder().decode((await Deno.readFile(executable)).subarray(0, 16_384));
  if (!text.startsWith("#!/bin/sh")) return [];
  const [, deno] = /^exec '([^']+)' 'run'/m.exec(text) ?? [];
  const [, lib] = /'(\/[^']+)\/main\.mjs'/.exec(text) ?? [];
  if (deno === undefined || lib === undefined) {
    throw new Error(`Cannot read ${executable}: it names no deno and no lib`);
  }
  return [deno, lib];
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
  await run(["/bin/cp", "--recursive", "--dereference", from, to]);
}

async function run(argv: Argv): Promise<void> {
  expectSuccess(argv, await createSystemRunner().run(argv, { timeoutMs: TIMEOUT_MS }));
}
