/** The image that every sandbox of the lab runs: Debian's static busybox, asleep, and its applets for looking around. */
import { renderTar, type TarEntry } from "./tar.ts";

/** The name under which containerd finds it. */
export const PAUSE_IMAGE = "docker.io/flock/pause:1";

const PAUSE: BusyboxImage = { reference: PAUSE_IMAGE, entrypoint: ["/bin/sleep", "2147483647"] };
const BUSYBOX = "/bin/busybox";
const APPLETS = ["cat", "ip", "ls", "nc", "ping", "ping6", "ps", "sh", "sleep", "traceroute", "traceroute6", "wget"];
const ARCHITECTURES = new Map([["x86_64", "amd64"], ["aarch64", "arm64"]]);

/** An image of busybox. */
export interface BusyboxImage {
  readonly reference: string;
  readonly entrypoint: readonly string[];
  /** More files, below directories that are there: bin, dev, etc, proc, sys, tmp. */
  readonly files?: readonly TarEntry[];
}

/** @returns an OCI image layout (image-spec 1.0, `image-layout.md`) as an archive for `ctr images import` */
export async function renderBusyboxImage(
  { reference, entrypoint, files = [] }: BusyboxImage,
): Promise<Uint8Array<ArrayBuffer>> {
  const layer = await blobOf(renderTar([...rootFiles(await Deno.readFile(BUSYBOX)), ...files]));
  const config = await blobOf(json({
    architecture: ARCHITECTURES.get(Deno.build.arch),
    os: "linux",
    config: { Entrypoint: entrypoint, Env: ["PATH=/bin"] },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  }));
  const manifest = await blobOf(json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
  }));
  const index = json({
    schemaVersion: 2,
    manifests: [{
      ...descriptor("application/vnd.oci.image.manifest.v1+json", manifest),
      annotations: { "io.containerd.image.name": reference },
    }],
  });
  return renderTar([
    file("oci-layout", json({ imageLayoutVersion: "1.0.0" })),
    file("index.json", index),
    ...[layer, config, manifest].map(({ digest, content }) => file(`blobs/${digest.replace(":", "/")}`, content)),
  ]);
}

/** @returns a function that writes the archive when first called, and its path ever after */
export function lazyPauseImage(path: string): () => Promise<string> {
  let written: Promise<string> | undefined;
  return () => written ??= renderBusyboxImage(PAUSE).then((archive) => Deno.writeFile(path, archive)).then(() => path);
}

interface Blob {
  readonly digest: string;
  readonly content: Uint8Array<ArrayBuffer>;
}

function rootFiles(busybox: Uint8Array<ArrayBuffer>): TarEntry[] {
  return [
    ...["bin", "dev", "etc", "proc", "sys"].map((path) => ({ path, mode: 0o755 })),
    { path: "tmp", mode: 0o1777 },
    { path: "bin/busybox", mode: 0o755, content: busybox },
    ...APPLETS.map((applet) => ({ path: `bin/${applet}`, mode: 0o777, linkTarget: "busybox" })),
  ];
}

function file(path: string, content: Uint8Array<ArrayBuffer>): TarEntry {
  return { path, mode: 0o644, content };
}

function descriptor(mediaType: string, { digest, content }: Blob): Record<string, unknown> {
  return { mediaType, digest, size: content.length };
}

async function blobOf(content: Uint8Array<ArrayBuffer>): Promise<Blob> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return { digest: `sha256:${hash.toHex()}`, content };
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}
