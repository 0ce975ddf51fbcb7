// deno-lint-ignore-file no-console -- figures, and what is skipped, are told to whoever reads the run
/** flock on a real cluster: in by `kubectl apply`, used as clusters are, and out again. */
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { ping } from "../lab/probes.ts";
import { FRR_STARTS_MS } from "../lab/router.ts";
import { until } from "../lab/until.ts";
import { expectWorkloads } from "./_everyday.ts";
import { exampleImages, expectExamples } from "./_examples.ts";
import { expectBadNodeConfigsRefused, expectExactlyUsed, expectOwnNodeOnly, expectRights } from "./_rights.ts";
import { expectMigration, installPtp } from "./_migration.ts";
import { expectReboot } from "./_reboot.ts";
import { ANYCAST, expectUnnoticedUpdate } from "./_rolling_update.ts";
import { expectNothingLeft, tracesOn } from "./_uninstall.ts";
import { findClusterAssets } from "./assets.ts";
import { startCluster } from "./cluster.ts";
import { readyPods, workload } from "./cluster_pod.ts";
import {
  admitShownNode,
  describeFlock,
  desiredNodes,
  expectNoNetwork,
  flockImage,
  installFlock,
  layDesk,
} from "./flock.ts";
import { standInImage } from "./stand_in.ts";

const { directory: assets, missing } = findClusterAssets();
if (missing.length > 0) {
  console.error(
    `SKIPPED flock on a real cluster, for want of ${missing.join(", ")}; ` +
      "run: KUBEBUILDER_ASSETS=DIR npx -y deno@2.9.6 task test",
  );
}

Deno.test({ name: "flock on a real cluster", ignore: missing.length > 0 }, async (t) => {
  const work = await Deno.makeTempDir({ prefix: "flock-cluster-" });
  try {
    const images = [flockImage(work), exampleImages().then((as) => standInImage({ into: work, as }))];
    await using cluster = await startCluster({ assets, images });
    const { kubectl, lab } = cluster;
    const tour = {
      /** Tells how long it took. What follows a failed step would only fail too. */
      step: async (name: string, run: () => Promise<void>): Promise<void> => {
        const began = performance.now();
        const passed = await t.step(name, run);
        console.log(`${((performance.now() - began) / 1000).toFixed(1)} s: ${name}`);
        if (!passed) {
          throw new Error(`the step "${name}" failed; then the cluster was\n${await describeFlock(cluster)}`);
        }
      },
    };

    const desk = await layDesk(cluster, work);
    const before = new Map<string, readonly string[]>();
    await tour.step("comes by one manifest, and touches no node without its label", async () => {
      await expectNoNetwork(cluster);
      for (const node of lab.nodes) before.set(node.name, await tracesOn(node));
      await installPtp(lab.node("node-b"));
      await installFlock(cluster, desk);
      await kubectl.apply([
        workload("DaemonSet", "web", { annotations: { "flock.fritzlab.net/anycast": ANYCAST.join() } }),
      ]);
      assertEquals(await desiredNodes(cluster), 0);
    });

    await tour.step("a labelled node turns Ready and runs pods", async () => {
      const began = performance.now();
      const shown = await admitShownNode(cluster, desk);
      const ready = performance.now() - began;
      assertMatch(shown, /^node-a .*2001:db8:f001::.*203\.0\.113\.0\/26/m);
      await readyPods(cluster, 2, "-l", "app=web");
      const running = performance.now() - began;
      const [first, second] = [ready, running].map((ms) => (ms / 1000).toFixed(1));
      console.log(
        `label to node Ready ${first} s, to pod Running ${second} s (figure: 20 s, on a machine that does nothing else)`,
      );
      assertLess(running, 60_000);
    });

    await tour.step(
      "a node with another plugin's pods comes over to flock",
      () => expectMigration(cluster, lab.node("node-b")),
    );

    await tour.step("pods of both nodes reach each other and the client, in both families", async () => {
      const [one, other] = await readyPods(cluster, 2, "-l", "app=web");
      assert(one !== undefined && other !== undefined && one.node !== other.node);
      for (const family of [4, 6] as const) {
        await lab.router.waitForRoute(family === 4 ? one.node.spec.cidr4 : one.node.spec.cidr6);
        await lab.router.waitForRoute(family === 4 ? other.node.spec.cidr4 : other.node.spec.cidr6);
        assert(await ping(one, other.address(family)) !== undefined);
        assert(await ping(other, one.address(family)) !== undefined);
        assert(await ping(lab.client, one.address(family)) !== undefined);
        assert(await ping(other, family === 4 ? "198.51.100.2" : "2001:db8:c::2") !== undefined);
      }
    });

    await tour.step(
      "the API server refuses every bad NodeConfig, and names the field",
      () => expectBadNodeConfigsRefused(cluster),
    );
    await tour.step(
      "the agent may do what the manifest says, as the API server says it (T-SEC-41)",
      () => expectRights(cluster),
    );
    await tour.step("an agent's token speaks for its own node only (T-SEC-40)", () => expectOwnNodeOnly(cluster));
    await tour.step(
      "workloads of every kind, probes, exec, logs, and Services through kube-proxy",
      () => expectWorkloads(cluster),
    );

    await tour.step(
      "the README's example pods, word for word, are as the README says",
      () => expectExamples(cluster),
    );

    await tour.step(
      "agents used their rights, all of them, and asked for none besides",
      () => expectExactlyUsed(cluster),
    );

    await tour.step("an API server that comes back, after a compaction, finds agents that go on", async () => {
      await cluster.controlPlane.compact();
      await kubectl.run("rollout", "restart", "daemonset/web");
      await kubectl.run("rollout", "status", "daemonset/web", "--timeout=55s");
    });

    await tour.step("a node that was drained and rebooted serves again", () => expectReboot(cluster, "node-b"));

    await tour.step("a rolling update loses no packet of 1000 a second, and no router hears of it", async () => {
      const [one, other] = await readyPods(cluster, 2, "-l", "app=web");
      assert(one !== undefined && other !== undefined);
      await until("FRR does not restart any more", () => performance.now() - lab.router.startedAt > FRR_STARTS_MS, {
        timeoutMs: FRR_STARTS_MS,
        everyMs: 100,
      });
      console.log(await expectUnnoticedUpdate(cluster, [one, other]));
    });

    await tour.step("it goes as it came, and nothing is left", () => expectNothingLeft(cluster, { ...desk, before }));
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});
