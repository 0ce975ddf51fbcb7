/** What must go on while the API server does not, and how one sees that it is followed again. */
import { assertEquals, assertLess, assertMatch } from "@std/assert";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { configPath, expectPing } from "./_cluster.ts";
import { addSandbox, createSandbox, type Sandbox } from "./_sandbox.ts";

/** Of a pod that nobody knows while the server is away. */
const UNKNOWN = { name: "unknown", uid: "2f9a2c5e-7d2b-4f5e-9c58-5a5a4b6a6f10" };
/** How soon an edit arrives once the server is well again (T-API-02). */
const CONVERGED_MS = 30_000;

/** What needs no API server: packets, DEL, and an ADD for which the runtime names no pod. */
export async function expectService(lab: Lab, node: LabNode, stays: Sandbox): Promise<void> {
  const goes = await addSandbox(node);
  for (const family of [4, 6] as const) {
    await expectPing(lab.client, stays.address(family));
    await expectPing(lab.client, goes.address(family));
  }
  const start = performance.now();
  await goes.remove();
  assertLess(performance.now() - start, 1000);
}

/** An ADD whose pod cannot be learnt asks the runtime to try again, soon. */
export async function expectUnknown(node: LabNode): Promise<void> {
  const start = performance.now();
  const { code, msg } = await (await createSandbox(node)).call("ADD", { pod: UNKNOWN });
  assertEquals(code, 11);
  assertMatch(msg, /Cannot read pod default\/unknown/);
  assertLess(performance.now() - start, 5000);
}

/** An edit of the NodeConfig arrives: the next pod has the new MTU. */
export async function expectEdit(lab: Lab, node: LabNode, mtu: number): Promise<void> {
  await until("the API server is back", () => lab.api.patch(configPath(node), { spec: { mtu } }));
  await until(`pods have MTU ${mtu}`, async () => {
    const pod = await addSandbox(node);
    const link = await pod.output(["ip", "link", "show", "dev", "eth0"]);
    await pod.remove();
    return link.includes(`mtu ${mtu} `);
  }, { timeoutMs: CONVERGED_MS, everyMs: 200 });
}
