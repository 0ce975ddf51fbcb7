/** The Debian packages that tasks need, and their installation on a machine that is ours to install on. */
import { type CommandRunner, expectSuccess } from "../../src/exec/command_runner.ts";
import { exists } from "./until.ts";

/** How one sees that a package, or another provider of the same tool, is there; and what Debian would start with it. */
interface Requirement {
  /** Any of these files. */
  readonly files: readonly string[];
  readonly unit?: string;
}

const REQUIREMENTS = {
  "bird2": { files: ["/usr/sbin/bird"], unit: "bird.service" },
  "busybox-static": { files: ["/bin/busybox"] },
  "containerd": { files: ["/usr/bin/containerd"], unit: "containerd.service" },
  "containernetworking-plugins": { files: ["/usr/lib/cni/ptp"] },
  "frr": { files: ["/usr/lib/frr/bgpd"], unit: "frr.service" },
  "iperf3": { files: ["/usr/bin/iperf3"], unit: "iperf3.service" },
  "iproute2": { files: ["/usr/sbin/ip"] },
  "iptables": { files: ["/usr/sbin/iptables"] },
  "iputils-ping": { files: ["/usr/bin/ping", "/bin/ping"] },
  "mmdebstrap": { files: ["/usr/bin/mmdebstrap"] },
  "mount": { files: ["/usr/bin/mount", "/bin/mount"] },
  "nftables": { files: ["/usr/sbin/nft"] },
  "openssl": { files: ["/usr/bin/openssl"] },
  "procps": { files: ["/usr/sbin/sysctl", "/sbin/sysctl"] },
  "prometheus": { files: ["/usr/bin/promtool"], unit: "prometheus.service" },
  "runc": { files: ["/usr/sbin/runc"] },
  "strace": { files: ["/usr/bin/strace"] },
  "tcpdump": { files: ["/usr/bin/tcpdump", "/usr/sbin/tcpdump"] },
} as const satisfies Record<string, Requirement>;

export type Package = keyof typeof REQUIREMENTS;

/** What a lab needs, whatever is done in it. */
export const LAB_PACKAGES: readonly Package[] = [
  ...["bird2", "busybox-static", "containerd", "containernetworking-plugins", "frr", "iproute2"] as const,
  ...["iputils-ping", "mount", "nftables", "openssl", "procps", "runc", "tcpdump"] as const,
];

/** Asked by every maintainer script before it starts a daemon; 101: forbidden (invoke-rc.d(8)). */
const POLICY = "/usr/sbin/policy-rc.d";
const SAVED_POLICY = "/usr/sbin/policy-rc.d.before-flock";
const POLICY_TEXT = "#!/bin/sh\n# Temporary, of flock's tests: packages being installed start no daemons.\nexit 101\n";
const APT_GET = "/usr/bin/apt-get";
const INSTALL_TIMEOUT_MS = 600_000;

/**
 * Sees to it that the packages are there. What is missing is installed where that is ours to do (Debian, root), without
 * starting or enabling its daemons and without removing anything. Runs of it at the same time wait for each other.
 *
 * @param progress is told what takes long
 * @throws naming exactly what is missing, where it cannot be installed
 */
export async function ensurePackages(
  packages: readonly Package[],
  { runner, progress = () => {} }: { runner: CommandRunner; progress?: (message: string) => void },
): Promise<void> {
  if (Deno.uid() !== 0 || !await exists(APT_GET)) return await expectPresent(packages);
  using lock = await Deno.open("/var/lib/dpkg");
  await lock.lock(true);
  await restorePolicy();
  const missing = await missingOf(packages);
  if (missing.length === 0) return;
  progress(`installing ${missing.join(", ")}`);
  await withPolicy(() => install(runner, missing));
  await disableUnits(runner, missing);
  await expectPresent(packages);
}

async function expectPresent(packages: readonly Package[]): Promise<void> {
  const missing = await missingOf(packages);
  if (missing.length === 0) return;
  const named = missing.map((name) => `${name} (${REQUIREMENTS[name].files[0]})`).join(", ");
  throw new Error(`Cannot find ${named}: install them, or run this as root on Debian, which installs them`);
}

async function missingOf(packages: readonly Package[]): Promise<Package[]> {
  const present = await Promise.all(packages.map(isPresent));
  return packages.filter((_, index) => !present[index]);
}

async function isPresent(name: Package): Promise<boolean> {
  const found = (await Promise.all(REQUIREMENTS[name].files.map(exists))).includes(true);
  return found && (name !== "busybox-static" || await isStatic("/bin/busybox"));
}

/** A dynamic executable names its interpreter near the start (ELF, PT_INTERP). */
async function isStatic(path: string): Promise<boolean> {
  const head = new Uint8Array(4096);
  using file = await Deno.open(path);
  await file.read(head);
  return !/\/ld-(linux|musl)/.test(new TextDecoder("latin1").decode(head));
}

/**
 * Without the package lists, and with outdated ones, the first attempt fails; an interrupted earlier one is finished
 * first.
 */
async function install(runner: CommandRunner, packages: readonly Package[]): Promise<void> {
  const apt = ["apt-get", "-y", "-q", "--no-remove", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"];
  const run = (...words: string[]) =>
    runner.run(["/usr/bin/env", ...environment(), ...words], { timeoutMs: INSTALL_TIMEOUT_MS });
  await run("dpkg", "--configure", "-a");
  if ((await run(...apt, "install", ...packages)).code === 0) return;
  await run(...apt, "update");
  const words = [...apt, "install", ...packages] as const;
  expectSuccess(["apt-get", ...words.slice(1)], await run(...words));
}

function environment(): string[] {
  const proxies = ["http_proxy", "https_proxy", "no_proxy"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [`${name}=${value}`];
  });
  return ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", ...proxies];
}

async function withPolicy(task: () => Promise<void>): Promise<void> {
  if (await exists(POLICY)) await Deno.rename(POLICY, SAVED_POLICY);
  await Deno.writeTextFile(POLICY, POLICY_TEXT, { mode: 0o755 });
  try {
    await task();
  } finally {
    await restorePolicy();
  }
}

/** Also after a run that was killed: what is ours goes, what was there before comes back. */
async function restorePolicy(): Promise<void> {
  const present = await Deno.readTextFile(POLICY).catch(() => undefined);
  if (present === POLICY_TEXT) await Deno.remove(POLICY);
  if (await exists(SAVED_POLICY)) await Deno.rename(SAVED_POLICY, POLICY);
}

/** Installed for tests only, Debian's daemons would otherwise run from the next boot on. */
async function disableUnits(runner: CommandRunner, packages: readonly Package[]): Promise<void> {
  const requirements: readonly Requirement[] = packages.map((name) => REQUIREMENTS[name]);
  const units = requirements.flatMap(({ unit }) => unit ?? []);
  if (units.length === 0 || !await exists("/run/systemd/system")) return;
  const argv = ["/usr/bin/systemctl", "disable", "--quiet", ...units] as const;
  expectSuccess(argv, await runner.run(argv, { timeoutMs: 60_000 }));
}
