/** A cluster whose API server fails: pods keep working, DELs are served, and what was missed arrives afterwards. */
import { assertEquals } from "@std/assert";
import { expectEdit, expectService, expectUnknown } from "./_api_scenes.ts";
import { expectPing, kernelOf, startCluster, untilLogged } from "./_cluster.ts";
import { nodeConfigOf, nodeSpec } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { addSandbox } from "./_sandbox.ts";

Deno.test("an API server that is away harms no pod, and is found again", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  const stays = await addSandbox(node);
  await t.step("refused connections", async () => {
    await lab.api.faults.refuse();
    await untilLogged(node, ["watch interrupted"]);
    await expectService(lab, node, stays);
    await expectUnknown(node);
    await lab.api.faults.recover();
    await expectEdit(lab, node, 8000);
  });
  await t.step("silence: DEL takes less than a second (T-REL-06), ADD of an unknown pod is bounded", async () => {
    await lab.api.faults.freeze();
    await expectService(lab, node, stays);
    await expectUnknown(node);
    await lab.api.faults.recover();
    await expectEdit(lab, node, 7000);
  });
  await t.step("a forgotten history: 410 Gone", async () => {
    await lab.api.faults.compact();
    await expectEdit(lab, node, 6000);
  });
  await t.step(
    "an agent that starts without it serves DEL, and ADD under the NodeConfig that it remembers",
    async () => {
      const goes = await addSandbox(node);
      await lab.api.faults.refuse();
      await node.stopAgent("SIGKILL");
      await node.startAgent();
      await goes.remove();
      assertEquals((await kernelOf(node)).links, [stays.hostLink]);
      for (const family of [4, 6] as const) await expectPing(lab.client, stays.address(family));
      await expectPing(lab.client, (await addSandbox(node)).address(6));
      await lab.api.faults.recover();
      await expectEdit(lab, node, 5000);
    },
  );
  await t.step("and knows where the cluster's pods were, when somebody takes its tables away meanwhile", async () => {
    const [own, others] = [node.spec.cidr4, nodeSpec(1).cidr4];
    const guards = async (): Promise<boolean> => {
      const set = await node.exec(["nft", "list", "set", "inet", "flock", "pods4"]);
      return [own, others].every((prefix) => set.stdout.includes(prefix));
    };
    await lab.api.apply(nodeConfigOf(nodeSpec(1)));
    await until("the guard knows both nodes' prefixes", guards);
    await lab.api.faults.freeze();
    await node.stopAgent("SIGKILL");
    await node.startAgent();
    await addSandbox(node);
    const handle = async (): Promise<string | undefined> =>
      /^table inet flock \{ # handle (\d+)/.exec(
        (await node.exec(["nft", "-a", "-t", "list", "table", "inet", "flock"])).stdout,
      )?.[1];
    const before = await handle();
    await node.output(["nft", "flush", "ruleset"]);
    const isAnother = async (): Promise<boolean> => ![undefined, before].includes(await handle());
    await until("the guard has made its table anew", isAnother);
    await until("it knows both nodes' prefixes again", guards);
    await lab.api.faults.recover();
  });
});
