import { assertEquals } from "@std/assert";
import { CONFIG, logger, TestClock, TestKube } from "./_agent_fixture.ts";
import { StatusReporter, viewWithoutConfig } from "./status_reporter.ts";

class CountingKube extends TestKube {
  patches = 0;
  override patchStatus(): Promise<void> {
    this.patches++;
    return Promise.resolve();
  }
}

Deno.test("reportNodeConfig() writes nothing twice, but again to an identical NodeConfig made anew", async () => {
  const kube = new CountingKube();
  const reporter = new StatusReporter({ nodeName: "node-a", kube, clock: new TestClock(), logger });
  const view = viewWithoutConfig({
    inForce: CONFIG,
    verdict: { reason: "Accepted", message: "in force" },
    warnings: ["AS shared"],
  });
  const sessions = { sessions: undefined, everEstablished: false };
  const report = (uid: string): Promise<void> =>
    reporter.reportNodeConfig({ name: "node-a", uid, generation: 1, outcome: CONFIG, advertised: [] }, {
      view,
      sessions,
    });
  await report("u1");
  await report("u1");
  assertEquals([kube.patches, kube.events.length], [1, 1]);
  await report("u2");
  assertEquals([kube.patches, kube.events.map(({ involved }) => involved.uid)], [2, ["u1", "u2"]]);
});
