/** A cluster whose API server misbehaves as real ones do: no pod notices, and everything arrives in the end. */
import { assert, assertEquals } from "@std/assert";
import type { Lab } from "../lab/lab.ts";
import { KUBECONFIG, type LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { expectEdit, expectService, expectUnknown } from "./_api_scenes.ts";
import { createPod, kernelOf, startCluster, untilLogged } from "./_cluster.ts";
import { addSandbox, callPlugin, type Sandbox } from "./_sandbox.ts";

const ONE_FAMILY = { "flock.fritzlab.net/ipv4": "false" };
/** A kubelet's hash: nobody asks the API server in vain for such a pod. */
const STATIC_UID = "0123456789abcdef0123456789abcdef";
/** Neither refused nor answered: no packet of the API's port gets through. */
const BLACK_HOLE = `table inet hole {
  chain in { type filter hook input priority 0; tcp dport 6443 drop; }
  chain out { type filter hook output priority 0; tcp sport 6443 drop; }
}`;

Deno.test("an API server that misbehaves harms no pod, and is followed again", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  const known = {
    name: "known",
    uid: await createPod(lab, { name: "known", annotations: ONE_FAMILY, nodeName: node.name }),
  };
  const stays = await addSandbox(node);
  await until("the node has learnt every route", async () => {
    const routes = [await node.output(["ip", "route"]), await node.output(["ip", "-6", "route"])];
    return routes.every((list) => list.includes("proto bird"));
  });
  const expectPods = async (): Promise<void> => {
    await expectService(lab, node, stays);
    const pod = await addSandbox(node, { pod: known });
    assertEquals(pod.addresses.length, 1);
    await pod.remove();
    assertEquals((await callPlugin(node, "STATUS")).code, undefined);
  };
  await t.step("behind a black hole: pods come and go, nothing flaps (T-API-01)", async () => {
    await using routes = await watchRoutes(lab, node);
    await lab.controlPlane.output(["nft", "-f", "-"], { stdin: BLACK_HOLE });
    await expectPods();
    await expectPassedOn(node);
    await expectUnknown(node);
    assertEquals(await routes.ofOthers(), []);
  });
  await t.step("a connection that the server has forgotten is found dead, without a restart (T-API-02)", async () => {
    await lab.api.faults.refuse();
    await lab.api.faults.recover();
    await lab.controlPlane.output(["nft", "delete", "table", "inet", "hole"]);
    await expectEdit(lab, node, 8000);
  });
  await t.step(
    "a token that expired: pods come and go, and the new one is taken from its file (T-API-03)",
    async () => {
      await lab.api.faults.revoke("admin");
      await untilLogged(node, ["watch interrupted", "401"]);
      await expectPods();
      await node.write(KUBECONFIG, lab.api.spareKubeconfig());
      await expectEdit(lab, node, 7000);
    },
  );
  await t.step("429 with Retry-After, then 503: pods come and go", async () => {
    const mark = (await node.readLog("agent")).length;
    await lab.api.faults.fail(429, { retryAfterSeconds: 2 });
    await untilLogged(node, ["watch interrupted", "429"], { after: mark });
    await expectPods();
    await lab.api.faults.fail(503);
    await untilLogged(node, ["watch interrupted", "503"], { after: mark });
    await lab.api.faults.recover();
    await expectEdit(lab, node, 6000);
    for (const waitMs of await waitsIn(node, { after: mark, status: 429 })) assert(waitMs >= 2000, `${waitMs} ms`);
  });
  await t.step("lists that are empty all at once: no pod, address or NodeConfig is lost", async () => {
    const [before, mark] = [await kernelOf(node), (await node.readLog("agent")).length];
    await using routes = await watchRoutes(lab, node);
    await lab.api.faults.forget();
    for (const path of ["pods", "nodeconfigs"]) {
      await untilLogged(node, ["Cannot believe the list", path], { after: mark });
    }
    await untilLogged(node, ["NodeConfig", "Deleted"], { after: mark }); // believed after all, and still in force
    await expectPods();
    assertEquals([await kernelOf(node), await routes.ofOthers()], [before, []]);
    await lab.api.faults.recover();
    await expectEdit(lab, node, 5000);
  });
  await t.step("a watch that is behind: the new pod's annotations count, not the old one's (T-REL-48)", async () => {
    await lab.api.faults.stall();
    await lab.api.delete("/api/v1/namespaces/default/pods/known");
    const uid = await createPod(lab, { name: "known", annotations: {}, nodeName: node.name });
    const pod = await addSandbox(node, { pod: { name: "known", uid } });
    assertEquals(pod.addresses.length, 2);
    await pod.remove();
    await addSandbox(node, { pod: { name: "static", uid: STATIC_UID } }).then((it) => it.remove());
    await lab.api.faults.recover();
  });
  await t.step(
    "watches that end every second: what changes arrives, and the server is not asked in a loop",
    async () => {
      await lab.api.faults.hurry();
      const mark = (await node.readLog("agent")).length;
      await expectEdit(lab, node, 4000);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const log = (await node.readLog("agent")).slice(mark);
      assert(log.split("watch interrupted").length < 5, log);
    },
  );
});

/** @returns how long the agent waited after each answer of that status, in milliseconds */
async function waitsIn(node: LabNode, { after, status }: { after: number; status: number }): Promise<number[]> {
  const lines = (await node.readLog("agent")).slice(after).split("\n").filter((line) => line.includes(`: ${status},`));
  return lines.flatMap((line) => /"waitMs":(\d+)/.exec(line)?.[1] ?? []).map(Number);
}

interface RouteWatch extends AsyncDisposable {
  /** @returns every change of a route that is no pod's, on the node and on the router */
  ofOthers(): Promise<string[]>;
}

async function watchRoutes({ router }: Lab, node: LabNode): Promise<RouteWatch> {
  const monitors = await Promise.all([router, node].map((place) => place.spawn("routes", ["ip", "monitor", "route"])));
  return {
    ofOthers: async () => {
      const lines = (await Promise.all(monitors.map((monitor) => monitor.readLog()))).join("\n").split("\n");
      return lines.filter((line) => line.trim() !== "" && !/ dev flock[0-9a-f]{8}/.test(line));
    },
    [Symbol.asyncDispose]: async () => void await Promise.all(monitors.map((monitor) => monitor.stop())),
  };
}

/** What the runtime passes on stands in for a pod that cannot be read. */
async function expectPassedOn(node: LabNode): Promise<void> {
  const config = { runtimeConfig: { "io.kubernetes.cri.pod-annotations": ONE_FAMILY } };
  const pod: Sandbox = await addSandbox(node, { pod: { name: "passed-on", uid: STATIC_UID }, config });
  assertEquals(pod.addresses.length, 1);
  await pod.remove();
}
