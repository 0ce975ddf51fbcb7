/**
 * Writes an OCI image layout (image-spec 1.0, `image-layout.md`) as an archive for `ctr images import`, of layers that
 * are files.
 */
import { type Argv, expectSuccess } from "../../src/exec/command_runner.ts";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import type { ImageConfig } from "./dockerfile.ts";

export interface OciImage {
  readonly reference: string;
  /** Uncompressed tar archives, the lowest first. */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const ARCHITECTURES = new Map([["x86_64", "amd64"], ["aarch64", "arm64"]]);
const TYPE = "application/vnd.oci.image";
const TIMEOUT_MS = 120_000;

/**
 * @param options.into an existing directory; gets `layout/` besides the archive, as hard links where it can
 * @returns the archive's path
 */
export async function writeOciArchive(image: OciImage, { into }: { into: string }): Promise<string> {
  const layout = `${into}/layout`;
  await Deno.mkdir(`${layout}/blobs/sha256`, { recursive: true });
  const layers = [];
  for (const layer of image.layers) layers.push(await addLayer(layout, layer));
  const config = await addJson(layout, { mediaType: `${TYPE}.config.v1+json`, value: configOf(image, layers) });
  const manifest = await addJson(layout, {
    mediaType: `${TYPE}.manifest.v1+json`,
    value: { schemaVersion: 2, mediaType: `${TYPE}.manifest.v1+json`, config, layers },
  });
  const annotations = { "io.containerd.image.name": image.reference };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  await Deno.writeTextFile(`${layout}/index.json`, JSON.stringify(index));
  await Deno.writeTextFile(`${layout}/oci-layout`, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  const archive = `${into}/image.tar`;
  await run(["/usr/bin/tar", "--create", "--file", archive, "--directory", layout, "."]);
  return archive;
}

function configOf({ config }: OciImage, layers: readonly Descriptor[]): unknown {
  const Env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
  return {
    architecture: ARCHITECTURES.get(Deno.build.arch),
    os: "linux",
    config: { ...config, Env },
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
  };
}

async function addLayer(layout: string, path: string): Promise<Descriptor> {
  const [hash = ""] = (await run(["/usr/bin/sha256sum", path])).split(" ");
  const blob = `${layout}/blobs/sha256/${hash}`;
  await Deno.link(path, blob).catch(() => Deno.copyFile(path, blob));
  return { mediaType: `${TYPE}.layer.v1.tar`, digest: `sha256:${hash}`, size: (await Deno.stat(blob)).size };
}

async function addJson(
  layout: string,
  { mediaType, value }: { mediaType: string; value: unknown },
): Promise<Descriptor> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  await Deno.writeFile(`${layout}/blobs/sha256/${hash}`, bytes);
  return { mediaType, digest: `sha256:${hash}`, size: bytes.length };
}

async function run(argv: Argv): Promise<string> {
  return expectSuccess(argv, await createSystemRunner().run(argv, { timeoutMs: TIMEOUT_MS })).stdout;
}
