/** Run on a node: so many pairs of ADD and DEL, asked of the agent over its socket as the plugin does, in these network namespaces at once. */
import { callAgent } from "../bench/_cni_calls.ts";

async function main([count = "", ...namespaces]: readonly string[]): Promise<void> {
  let left = Number(count);
  await Promise.all(namespaces.map(async (netns) => {
    while (left-- > 0) await callAgent({ netns });
  }));
}

if (import.meta.main) main(Deno.args);
