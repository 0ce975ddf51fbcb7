/** What a containerd that dies in the middle of an attempt leaves behind is counted, told and removed, and is no fault of flock's. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { NETNS_DIR } from "../../src/paths/paths.ts";
import { createLab } from "../lab/lab.ts";
import { until } from "../lab/until.ts";
import { Checker } from "./checker.ts";
import { Cluster } from "./cluster.ts";
import { Report } from "./report.ts";

const STRUCK = { apiAway: false, away: new Set<number>(), struck: new Set([0]) };

Deno.test("a soak reports a network namespace that a killed containerd lost, and blames nobody else", async (t) => {
  await using lab = await createLab({ api: "embedded", nodes: 1 });
  const file = `${lab.dir}/soak.json`;
  const report = new Report({ file, seed: 1, minutes: 1 });
  const cluster = await Cluster.start(lab, report);
  const checker = new Checker(cluster, report);
  const { node, kubelet } = cluster.member(0);
  const listNamespaces = async (): Promise<string[]> =>
    (await node.lab.output(["ls", NETNS_DIR])).split("\n").filter((name) => name.startsWith("cni-"));
  await t.step("none when it is killed during an ADD: it has recorded the sandbox by then", async () => {
    const thaw = node.freeze("agent"); // the ADD waits for it
    await cluster.churn({ kind: "create", node: 0, atMs: 0, victim: 0 });
    const adds = ["sh", "-c", "grep -lsz '^CNI_COMMAND=ADD' /proc/[0-9]*/environ"];
    await until("its ADD is under way", async () => (await node.lab.exec(adds)).stdout !== "");
    await node.end("containerd", "SIGKILL");
    thaw();
    await node.start("containerd");
    assertEquals([await checker.check(STRUCK), report.counts.orphans], [0, 0]);
  });
  await t.step("one when it is killed between making the namespace and recording it", async () => {
    await node.lab.output(["ip", "netns", "add", "cni-unrecorded"]);
    await node.end("containerd", "SIGKILL");
    await node.start("containerd");
    assertEquals([await checker.check(STRUCK), report.counts.orphans], [0, 1]);
    assertEquals((await listNamespaces()).length, kubelet.live.length);
    assertStringIncludes(await Deno.readTextFile(file), '"name":"cni-unrecorded"');
    assertStringIncludes(report.end(), ", 1 namespaces left by killed containerds, 0 discrepancies");
  });
  kubelet.giveUp();
});
