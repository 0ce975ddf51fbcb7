/** After a run, and after a run that was killed, the machine is as before. */
import { assert, assertEquals } from "@std/assert";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { cleanStaleLabs } from "../lab/census.ts";
import { startCluster } from "./_cluster.ts";
import { addSandbox } from "./_sandbox.ts";

const runner = createSystemRunner();

/** What flock, containerd, BIRD and FRR make; other work on the machine may come and go meanwhile. */
const MACHINE_SCRIPT = `PATH=/usr/sbin:$PATH
  ip netns | grep -E '^(cni-|[0-9a-f]{32})'
  ip -o link | grep -oE ' (flock[0-9a-f]{8}|up0|br0|p-[a-z-]+|lo: .*altname flock-node)'; ip -o address show | grep -F 169.254.1.1
  ip route show table all proto 70; ip -6 route show table all proto 70
  nft list tables | grep -w flock
  ls -d /run/flock /etc/flock /var/lib/flock /opt/cni /etc/cni /var/lib/cni /var/log/pods /run/frr
  cut -d' ' -f2 /proc/mounts | grep -E 'flock|containerd|cni'`;

async function machine(): Promise<string> {
  return (await runner.run(["/bin/sh", "-c", MACHINE_SCRIPT])).stdout;
}

/** @returns processes, mounts, cgroups and directories that carry the lab's id, and the processes of its pid namespaces */
async function tracesOf(id: string): Promise<string> {
  const script = 'grep -alE "flock-la[b](-|/)$0" /proc/[0-9]*/cmdline /proc/[0-9]*/environ /proc/[0-9]*/cgroup; ' +
    'grep -F "flock-lab/$0" /proc/mounts; find /sys/fs/cgroup -maxdepth 2 -name "flock-lab-$0"; ' +
    'ls -d "/run/flock-lab/$0"; true';
  return (await runner.run(["/bin/sh", "-c", script, id])).stdout;
}

Deno.test("a cluster with running pods leaves nothing when it goes down", async () => {
  const before = await machine();
  const lab = await startCluster({ nodes: 1, api: "embedded" });
  try {
    const node = lab.node("node-a");
    await Promise.all([node.runPod({ name: "left-running" }), addSandbox(node)]);
    assertEquals(await machine(), before);
    assert((await tracesOf(lab.id)) !== "", "a running lab shows no trace: the test proves nothing");
  } finally {
    await lab[Symbol.asyncDispose]();
  }
  assertEquals([await machine(), await tracesOf(lab.id)], [before, ""]);
});

Deno.test("a cluster whose owner is killed in the middle of an ADD is cleaned by whoever comes next", async () => {
  const before = await machine();
  const id = await runCrashingCluster();
  assert((await tracesOf(id)) !== "", "the killed owner left nothing: the test proves nothing");
  await cleanStaleLabs();
  assertEquals([await machine(), await tracesOf(id)], [before, ""]);
});

/** @returns the id of the lab that the killed process had */
async function runCrashingCluster(): Promise<string> {
  const names = ["HOME", "DENO_DIR", "FLOCK_BIN", "KUBEBUILDER_ASSETS"];
  const variables = names.flatMap((name) => Deno.env.has(name) ? [`${name}=${Deno.env.get(name)}`] : []);
  const program = new URL("_crashing_cluster.ts", import.meta.url).pathname;
  const argv = ["/usr/bin/env", ...variables, Deno.execPath(), "run", "--quiet", "-A", program] as const;
  const { code, stdout, stderr } = await runner.run(argv, { timeoutMs: 60_000 });
  assertEquals(code, 128 + 9, stderr);
  return stdout.trim();
}
