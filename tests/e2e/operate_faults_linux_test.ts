/** Whatever goes wrong on a node, an operator is told: at the node by `flock inspect`, in the cluster, on the dashboard. */
import { assert, assertEquals } from "@std/assert";
import { record, records } from "../lab/json.ts";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { Mesh } from "../lab/mesh.ts";
import { ensurePackages } from "../lab/packages.ts";
import { until } from "../lab/until.ts";
import { configPath, startCluster } from "./_cluster.ts";
import { ANYCAST, type Fault, FAULTS, type Scene } from "./_faults.ts";
import { type AlertSight, expectAlerts } from "./_alerts.ts";
import { holds } from "./_promql.ts";
import { type samplesOf, scrape } from "./_pages.ts";
import { makeNamespaces, runPolicyPod } from "./_policy_pods.ts";
import { PLUGIN } from "./_sandbox.ts";

/** Lines of a terminal. */
const SCREEN = 24;
type Samples = ReturnType<typeof samplesOf>;

Deno.test("each of the faults is named by inspect, condition, metric and Event", async (t) => {
  await ensurePackages(["prometheus"], { runner: createSystemRunner() });
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  using mesh = new Mesh();
  const node = lab.node("node-a");
  await makeNamespaces(lab, { x: {} });
  const run = async (name: string, annotations: Readonly<Record<string, string>>): Promise<Scene["server"]> =>
    (await runPolicyPod({ lab, mesh }, { namespace: "x", name, labels: { app: name }, annotations, node })).sandbox;
  const server = await run("server", { "flock.fritzlab.net/anycast": ANYCAST });
  const scene: Scene = { lab, node, server, client: await run("client", {}), kept: [] };
  await untilWell(scene);
  const seen: AlertSight[] = [{ samples: await scrape(node) }];
  for (const fault of FAULTS) await t.step(fault.what, async () => void seen.push(await suffer(scene, fault)));
  await t.step("promtool fires the alert of each by what was scraped, and none on a node that is well", async () => {
    const [well, ...sick] = seen;
    await expectAlerts([...(well === undefined ? [] : [well]), ...sick.filter(({ alert }) => alert !== undefined)]);
  });
});

/** @returns what was scraped while it lasted */
async function suffer(scene: Scene, fault: Fault): Promise<AlertSight> {
  const { metric, end, eventLater = false } = fault;
  const before = await scrape(scene.node).catch(() => undefined);
  const since = await eventsOf(scene, fault);
  await fault.inject(scene);
  const [samples] = await Promise.all([
    metric === undefined ? new Map() : seeMetric(scene, { metric, before }),
    seeScreen(scene, fault),
    seeCondition(scene, fault),
    eventLater ? undefined : seeEvent(scene, { fault, since }),
  ]);
  await end?.(scene);
  if (eventLater) await seeEvent(scene, { fault, since });
  const isDead = samples.get("up") === 0;
  if (end !== undefined || !isDead) await untilWell(scene);
  const { alert } = fault;
  return { ...(alert === undefined ? {} : { alert }), ...(before === undefined ? {} : { before }), samples };
}

async function seeScreen(scene: Scene, { what, screen, command = "" }: Fault): Promise<void> {
  let last = "";
  await until(`inspect says of ${what}: ${screen}`, async () => {
    last = await inspect(scene, command);
    return last.split("\n").slice(0, SCREEN).join("\n").includes(screen);
  }, { timeoutMs: 20_000, everyMs: 100 }).catch((error: unknown) => {
    throw new Error(`${String(error)}; it says\n${last}`);
  });
}

async function inspect({ node, client, server }: Scene, command: string): Promise<string> {
  const words = command.replace("CLIENT", client.address(4)).replace("SERVER", server.address(4)).split(" ");
  const { stdout } = await node.exec([PLUGIN, "inspect", ...words.filter((word) => word !== "")]);
  return stdout;
}

/** A node is well when inspect finds nothing wrong, and all sessions tell all of it. */
async function untilWell({ node }: Scene): Promise<void> {
  let last = "";
  await until("all is well again", async () => {
    const { code, stdout } = await node.exec([PLUGIN, "inspect"]);
    last = stdout;
    return code === 0;
  }, { timeoutMs: 30_000, everyMs: 200 }).catch((error: unknown) => {
    throw new Error(`${String(error)}; inspect says\n${last}`);
  });
}

async function seeCondition({ lab, node }: Scene, { condition }: Fault): Promise<void> {
  if (condition === undefined) return;
  await until(`the NodeConfig has ${condition}`, async () => {
    const { conditions } = record((await lab.api.get(configPath(node)))?.["status"]);
    return records(conditions).some(({ type, status, reason }) => `${type}=${status}, ${reason}` === condition);
  });
}

/** No scrape is `up == 0`, as Prometheus has it. */
async function seeMetric(
  { node }: Scene,
  { metric, before }: { metric: string; before: Samples | undefined },
): Promise<Samples> {
  return await until(`${metric} holds`, async () => {
    const now = await scrape(node).catch(() => new Map([["up", 0]]));
    return holds(metric, { before: before ?? new Map(), now }) && now;
  }, { timeoutMs: 20_000, everyMs: 200 });
}

/** @returns Event -> how often it was seen */
async function eventsOf({ lab, node }: Scene, { event }: Fault): Promise<ReadonlyMap<string, number>> {
  const [kind, reason] = event?.split(": ") ?? [];
  const names = [node.name, "odd", "second", "thief", "lost"];
  const all = (await Promise.all(names.map((name) => lab.api.events(name)))).flat();
  const found = all.filter((each) => each["reason"] === reason && record(each["involvedObject"])["kind"] === kind);
  return new Map(found.map((each) => {
    const { name, resourceVersion } = record(each["metadata"]);
    return [`${name} ${resourceVersion}`, Number(each["count"] ?? 1)];
  }));
}

async function seeEvent(
  scene: Scene,
  { fault, since }: { fault: Fault; since: ReadonlyMap<string, number> },
): Promise<void> {
  if (fault.event === undefined) return;
  await until(`an Event says ${fault.event}`, async () => {
    return [...(await eventsOf(scene, fault)).keys()].some((name) => !since.has(name));
  }, { timeoutMs: 60_000 }); // watches of a server that was away come back ever later
}

Deno.test("there are at least twenty faults, each told apart from the others", () => {
  assert(FAULTS.length >= 20);
  assertEquals(new Set(FAULTS.map(({ what }) => what)).size, FAULTS.length);
});
