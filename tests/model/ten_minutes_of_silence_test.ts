/** What takes ten minutes, in a second: the API server swallows everything, on a clock of the test's. */
import { assertEquals, assertRejects } from "@std/assert";
import type { Clock } from "../../src/clock/clock.ts";
import { CniError } from "../../src/cnispec/cni_error.ts";
import { list, PODS, ScriptedApi, silentLogger, Stream, tokenConnection, until } from "../../src/kube/_api_fixture.ts";
import { createKubeClient } from "../../src/kube/create_kube_client.ts";
import { parsePod } from "../../src/pod/parse_pod.ts";
import { records } from "../lab/json.ts";
import { NODE, READINGS } from "./node_configs.ts";
import { type ApiAccess, type RunningNode, startNode } from "./running_node.ts";

const SILENCE_MS = 600_000;
const STEP_MS = 2000;
/** Pods come and go that often. */
const EVERY_MS = 60_000;
const ONE_FAMILY = { "flock.fritzlab.net/ipv4": "false" };
const KNOWN = {
  metadata: { namespace: "default", name: "known", uid: "uid-known", resourceVersion: "1", annotations: ONE_FAMILY },
  spec: { containers: [{ name: "c", image: "img" }] },
};

Deno.test("behind a black hole of ten minutes known pods come and go, and nothing flaps (T-API-01)", async () => {
  const api = new ScriptedApi();
  api.lists = [list([KNOWN], 9)];
  api.watches = [new Stream().answer, api.swallow];
  api.other = api.swallow;
  const access = accessTo(api);
  const node = await startNode(access.at);
  try {
    node.readings.set(NODE, expectReading());
    node.configChanged();
    await until(() => node.parts.reconciler.ready && node.bird.rib.length === 2 && api.watchQueries().length === 1);
    await call(node, "ADD", { id: "stays", pod: "known" });
    await tick();
    const before = look(node);
    for (let at = 0; at < SILENCE_MS; at += STEP_MS) {
      node.clock.pass(STEP_MS);
      await tick();
      assertEquals(look(node), before, `after ${at / 1000} s`);
      if (at % EVERY_MS === 0) await comeAndGo(node);
    }
    assertEquals([api.watchQueries().length > 5, api.listQueries().length], [true, 1]);
  } finally {
    node.stop.abort();
    access.stop();
    await api.close();
  }
});

/** A pod that the watch knows gets what its annotations say, without the server; one that it does not know is asked to come again. */
async function comeAndGo(node: RunningNode): Promise<void> {
  const { ips } = await call(node, "ADD", { id: "comes", pod: "known" });
  assertEquals(records(ips).map(({ version }) => version), ["6"]);
  await call(node, "DEL", { id: "comes", pod: "known" });
  const unknown = assertRejects(() => call(node, "ADD", { id: "late", pod: "unknown" }), CniError, "Cannot read pod");
  let over = false;
  void unknown.finally(() => over = true);
  await until(() => {
    node.clock.pass(100);
    return over;
  });
  assertEquals((await unknown).code, 11);
}

async function call(
  { parts, kernel, clock }: RunningNode,
  verb: "ADD" | "DEL",
  { id, pod }: { id: string; pod: string },
): Promise<Record<string, unknown>> {
  const netns = `/run/netns/${id}`;
  kernel.namespaces.add(netns);
  const args = `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod};K8S_POD_UID=uid-${pod}`;
  const environment = { CNI_CONTAINERID: id, CNI_NETNS: netns, CNI_IFNAME: "eth0", CNI_ARGS: args };
  const config = { cniVersion: "0.4.0", name: "flock", type: "flock" };
  clock.pass(1);
  return Object(await parts.service.handle({ verb, startedAt: clock.wall(), environment, config }));
}

/** What an outage could take away. */
function look({ bird, kernel, parts }: RunningNode): unknown {
  return { routes: bird.rib, links: [...kernel.links.keys()], allocations: parts.ledger.all() };
}

function accessTo(api: ScriptedApi): { at(clock: Clock): ApiAccess; stop(): void } {
  let stop = (): void => {};
  const at = (clock: Clock): ApiAccess => {
    const connection = tokenConnection(api.url, { token: "t" });
    const kube = createKubeClient({ connection, clock, logger: silentLogger, random: () => 0.5 });
    stop = () => kube.stop();
    return { kube, pods: kube.watch({ path: PODS, fieldSelector: `spec.nodeName=${NODE}`, decode: parsePod }) };
  };
  return { at, stop: () => stop() };
}

function expectReading(): NonNullable<(typeof READINGS)[number]> {
  const [, reading] = READINGS;
  if (reading === undefined) throw new Error("Cannot configure the node: there is no such NodeConfig");
  return reading;
}

/** Lets what is under way on loopback go on. */
async function tick(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1));
}
