/**
 * Runs a file of tests as if on a node of its own: network and mount namespace, /run on a tmpfs, `/proc/sys/net` bound where flock
 * looks for it. Everything made inside is gone with it, also when a test fails or the run is killed.
 */
import { createSystemRunner } from "../../src/exec/system_runner.ts";

const SETUP = `
mount -t tmpfs none /run && mkdir -p /run/netns /run/flock/sys && mount --bind /proc/sys/net /run/flock/sys && ip link set lo up &&
FLOCK_SCENES=here HOME=$1 exec "$2" test -A --no-check --quiet "$3"`;

/** @throws with the run's output when a test inside failed */
export async function testInNamespace(file: URL): Promise<void> {
  const home = Deno.env.get("HOME") ?? "/root";
  const setup = `PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH; ${SETUP}`;
  const argv = [
    ...["/usr/bin/setpriv", "--pdeathsig", "KILL", "/usr/bin/unshare", "--mount", "--net", "--propagation", "private"],
    ...["--fork", "--kill-child=KILL", "/bin/sh", "-c", setup, "sh", home, Deno.execPath(), file.pathname],
  ] as const;
  const [program = "", ...args] = argv;
  const { code, stdout, stderr } = await createSystemRunner().run([program, ...args], { timeoutMs: 120_000 });
  if (code !== 0) throw new Error(`Cannot pass ${file.pathname}: exit code ${code}\n${stdout}\n${stderr}`);
}

/** For the first line of such a file. @throws anywhere but in a namespace of `testInNamespace`, before anything of the machine is changed */
export function expectOwnNamespace(): void {
  if (Deno.env.get("FLOCK_SCENES") === "here") return;
  throw new Error("Cannot run scenes in the machine's own network: run the _linux_test.ts beside them");
}
