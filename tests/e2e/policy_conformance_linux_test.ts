/** The NetworkPolicy cases of Kubernetes' own end-to-end tests, on two nodes with real packets. */
import type { Lab } from "../lab/lab.ts";
import { Mesh } from "../lab/mesh.ts";
import { startCluster } from "./_cluster.ts";
import { NETPOL_SCENES, type Stage } from "./_netpol_scenes.ts";
import { setPolicy } from "./_policy_pods.ts";
import { type Reachability, startReachability } from "./_reachability.ts";

Deno.test("the NetworkPolicy cases of Kubernetes' end-to-end suite, over two nodes", async (t) => {
  await using lab = await startCluster({ containerd: false });
  using mesh = new Mesh();
  const reachability = await startReachability(lab, mesh);
  await t.step("without policies everybody reaches everybody (NP-62)", () => reachability.expect(() => true));
  for (const { title, stages } of NETPOL_SCENES) {
    await t.step(title, () => play(lab, reachability, stages(reachability)));
  }
  await t.step("when all policies are gone everybody reaches everybody", () => reachability.expect(() => true));
});

async function play(lab: Lab, reachability: Reachability, stages: readonly Stage[]): Promise<void> {
  try {
    for (const { policies = {}, labels = {}, allows } of stages) {
      for (const [key, spec] of Object.entries(policies)) await setPolicy(lab, key, spec);
      for (const [key, values] of Object.entries(labels)) await setLabels(lab, key, values);
      await reachability.expect(allows);
    }
  } finally {
    const policies = new Set(stages.flatMap(({ policies = {} }) => Object.keys(policies)));
    for (const key of policies) await setPolicy(lab, key, null);
    const labels = stages.flatMap(({ labels = {} }) => Object.entries(labels));
    for (const [key, values] of labels) {
      await setLabels(lab, key, Object.fromEntries(Object.keys(values).map((label) => [label, null])));
    }
  }
}

/** @param key `namespace` or `namespace/pod` */
async function setLabels({ api }: Lab, key: string, labels: Readonly<Record<string, string | null>>): Promise<void> {
  const [namespace, pod] = key.split("/");
  const path = `/api/v1/namespaces/${namespace}${pod === undefined ? "" : `/pods/${pod}`}`;
  await api.patch(path, { metadata: { labels } });
}
