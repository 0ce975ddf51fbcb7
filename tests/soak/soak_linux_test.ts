/** The soak in short: it runs, and what it must see it sees. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { createLab } from "../lab/lab.ts";
import { Checker } from "./checker.ts";
import { Cluster } from "./cluster.ts";
import { inflict } from "./faults.ts";
import { Report } from "./report.ts";

const CALM = { apiAway: false, away: new Set<number>(), struck: new Set<number>() };

Deno.test("a soak finds nothing after kills, and what somebody leaves behind it reports once", async (t) => {
  await using lab = await createLab({ api: "embedded", nodes: 1 });
  const file = `${lab.dir}/soak.json`;
  const report = new Report({ file, seed: 1, minutes: 1 });
  const cluster = await Cluster.start(lab, report);
  const { node: { lab: node } } = cluster.member(0);
  await t.step("nothing, with pods that come and go while agent and containerd are killed", async () => {
    const churn = { node: 0, atMs: 0, victim: 0 };
    await cluster.churn({ ...churn, kind: "create" });
    await Promise.all([
      inflict(cluster, { kind: "agentKill", node: 0, atMs: 0, forMs: 300 }),
      inflict(cluster, { kind: "containerdKill", node: 0, atMs: 0, forMs: 300 }),
      cluster.churn({ ...churn, kind: "crash" }),
      cluster.churn({ ...churn, kind: "create" }),
    ]);
    assertEquals(await new Checker(cluster, report).check({ ...CALM, struck: new Set([0]) }), 0);
    assertEquals(report.clean, true);
  });
  await t.step("a pod that does not answer", async () => {
    const checker = new Checker(cluster, report, { settleMs: 500 }); // nobody will make it better
    const [steady] = cluster.member(0).steady;
    await node.output(["nsenter", `--net=${steady?.sandbox.netns}`, "ip", "address", "flush", "dev", "eth0"]);
    await checker.check(CALM);
    assertEquals(await checker.check(CALM), 0);
    const [, ...lines] = (await Deno.readTextFile(file)).trim().split("\n");
    for (const address of steady?.sandbox.addresses ?? []) {
      assertStringIncludes(lines.join(), `${address} does not answer the client, quiet`);
    }
  });
  for (const { kubelet } of cluster.members) kubelet.giveUp();
});
