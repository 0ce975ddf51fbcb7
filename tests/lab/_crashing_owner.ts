/** Builds a lab and is killed: `early`, while it comes up, or `late`, with a sandbox running. Prints the lab's id when it has one. */
import { createLab } from "./lab.ts";
import { listenForPods } from "./_ptp.ts";

async function main([when]: readonly string[]): Promise<void> {
  const kill = (): void => Deno.kill(Deno.pid, "SIGKILL");
  if (when === "early") setTimeout(kill, 150);
  const lab = await createLab({ nodes: 1 });
  for (const node of lab.nodes) {
    await listenForPods(node);
    await node.runPod({ name: "orphan" });
  }
  kill();
}

if (import.meta.main) main(Deno.args);
