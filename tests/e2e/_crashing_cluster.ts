/** Starts a cluster with pods, one by containerd and one without, prints the lab's id and is killed in the middle of an ADD. */
import { startCluster } from "./_cluster.ts";
import { addSandbox } from "./_sandbox.ts";

async function main(): Promise<void> {
  const lab = await startCluster({ nodes: 1, api: "embedded" });
  const node = lab.node("node-a");
  await Promise.all([node.runPod({ name: "orphan" }), addSandbox(node)]);
  await Deno.stdout.write(new TextEncoder().encode(`${lab.id}\n`));
  addSandbox(node).catch(() => {});
  setTimeout(() => Deno.kill(Deno.pid, "SIGKILL"), 30);
}

if (import.meta.main) main();
