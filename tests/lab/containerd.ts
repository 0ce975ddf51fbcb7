/** containerd on a node of the lab: Debian's, or another one, always with a root of its own. */
import { expectSuccess } from "../../src/exec/command_runner.ts";
import { connectCri, type CriClient } from "./cri.ts";
import { PAUSE_IMAGE } from "./pause_image.ts";
import type { Place } from "./place.ts";
import type { Daemon } from "./process.ts";
import { GaveUp, until } from "./until.ts";

export interface Containerd extends AsyncDisposable {
  readonly daemon: Daemon;
  readonly cri: CriClient;
}

export interface ContainerdOptions {
  /** Where `containerd`, its shim and `ctr` lie. Default: Debian's /usr/bin. */
  readonly binDir?: string;
  /** How long each call of the CRI may take, in milliseconds. Default 30 000; kubelet waits 120 000, and 240 000 for a sandbox. */
  readonly callTimeoutMs?: number;
  /** The pause image's archive, readable inside the place. */
  readonly image: string;
}

const SOCKET = "/run/containerd/containerd.sock";
const CONFIG = "/etc/containerd/config.toml";

/**
 * Root and state lie on the place's tmpfs. Several labs share the machine's cgroups, so sandboxes name their cgroup themselves.
 * AppArmor and OOM scores are the machine's matter. Debian 13's containerd looks for plugins in /usr/lib/cni unless it is told.
 */
const CONFIG_TEXT = `version = 2
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.nri.v1.nri",
]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "/usr/sbin/runc"
`;

/** Starts containerd and imports the image. Resolves when the CRI answers; the node need not be ready for pods yet. */
export async function startContainerd(
  place: Place,
  { binDir = "/usr/bin", callTimeoutMs, image }: ContainerdOptions,
): Promise<Containerd> {
  const env = { PATH: `${binDir}:/usr/sbin:/usr/bin:/sbin:/bin`, TMPDIR: "/run/containerd" };
  await place.write(CONFIG, CONFIG_TEXT);
  const daemon = await place.spawn("containerd", [`${binDir}/containerd`, "--config", CONFIG], { env });
  const ctr = async (...args: string[]): Promise<void> => {
    const argv = [`${binDir}/ctr`, "--namespace", "k8s.io", ...args] as const;
    expectSuccess(argv, await place.exec(argv, { env, timeoutMs: 30_000 }));
  };
  await until("containerd listens", () => listens(daemon, place.outside(SOCKET)));
  await ctr("images", "import", image);
  const cri = connectCri(place.outside(SOCKET), callTimeoutMs === undefined ? {} : { timeoutMs: callTimeoutMs });
  await until("the CRI answers", () => cri.complaints());
  return {
    daemon,
    cri,
    [Symbol.asyncDispose]: async () => {
      cri[Symbol.dispose]();
      await daemon.stop();
    },
  };
}

async function listens(daemon: Daemon, path: string): Promise<boolean> {
  if (!daemon.running) throw new GaveUp(`Cannot start containerd: it ended; ${await daemon.readLog()}`);
  const connection = await Deno.connect({ transport: "unix", path });
  connection.close();
  return true;
}
