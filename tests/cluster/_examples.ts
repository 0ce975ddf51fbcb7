/** The README's example pods, word for word, and what the README says of them. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { loadAll } from "js-yaml";
import { record, records } from "../lab/json.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import { ping } from "../lab/probes.ts";
import { readmeBlock, readReadme } from "../lab/readme.ts";
import { until } from "../lab/until.ts";
import type { Cluster } from "./cluster.ts";
import { type ClusterPod, readyPods, workload } from "./cluster_pod.ts";
import { BREAK_STAND_IN, STAND_IN_PORTS } from "./stand_in.ts";

const RESOLVER = "**DNS for everybody.**";
const MAIL = "**A public address for one pod.**";
const CACHE = "**A ClusterIP replaced.**";
/** More than probes that fail take, three times two seconds. */
const SLOW = { timeoutMs: 60_000, everyMs: 100 };

/** @returns the images that the examples name */
export async function exampleImages(): Promise<string[]> {
  const objects = await Promise.all([RESOLVER, MAIL].map(exampleOf));
  return objects.flat().map((object) => String(records(podOf(object).spec["containers"])[0]?.["image"]));
}

export async function expectExamples(cluster: Cluster): Promise<void> {
  await letClientAsk(cluster);
  await cluster.kubectl.apply((await Promise.all([RESOLVER, MAIL, CACHE].map(exampleOf))).flat());
  // The mail server's node is cordoned for a while: by then the others' pods have theirs.
  await Promise.all([expectResolver(cluster), expectCache(cluster).then(() => expectMail(cluster))]);
  await cluster.kubectl.run("delete", "deployment/resolver", "statefulset/mail", "service/cache", "daemonset/cache");
}

async function exampleOf(after: string): Promise<KubeObject[]> {
  return loadAll(await readmeBlock("yaml", after)).map(record);
}

/** @returns the parts of the pods that a workload makes */
function podOf({ spec }: KubeObject): { annotations: Record<string, unknown>; spec: Record<string, unknown> } {
  const template = record(record(spec)["template"]);
  return { annotations: record(record(template["metadata"])["annotations"]), spec: record(template["spec"]) };
}

function listOf(annotation: unknown): [string, string] {
  const [four, six, ...more] = String(annotation).split(", ");
  assert(four !== undefined && six !== undefined && more.length === 0, `two addresses: ${annotation}`);
  return [four, six];
}

/** The examples' IPv4 addresses are of the client's own subnet, where it would look for them on its cable. */
async function letClientAsk({ lab }: Cluster): Promise<void> {
  const annotated = (await Promise.all([RESOLVER, MAIL].map(exampleOf))).flat().map((object) => podOf(object));
  for (const { annotations } of annotated) {
    const [four] = listOf(Object.values(annotations)[0]);
    await lab.client.output(["ip", "route", "replace", `${four}/32`, "via", "198.51.100.1"]);
  }
}

/** @returns what the server there says: its pod's name. @throws when none answers */
async function ask(from: Pick<ClusterPod, "exec">, { address, port }: Server): Promise<string> {
  const url = `http://${address.includes(":") ? `[${address}]` : address}:${port}/`;
  const { code, stdout, stderr } = await from.exec(["timeout", "3", "busybox", "wget", "-q", "-O", "-", url]);
  if (code !== 0) throw new Error(`Cannot ask ${url}: ${stderr}`);
  return stdout.trim();
}

interface Server {
  readonly address: string;
  readonly port: number;
}

/** "Clients are spread over all of them; one that fails its probe, or is deleted, is out". */
async function expectResolver(cluster: Cluster): Promise<void> {
  const { lab, kubectl } = cluster;
  const [deployment] = await exampleOf(RESOLVER);
  const addresses = listOf(podOf(deployment ?? {}).annotations["flock.fritzlab.net/anycast"]);
  const pods = await readyPods(cluster, 3, "-l", "app=resolver");
  const nodes = new Set(pods.map(({ node }) => node));
  await lab.router.waitForPaths(`${addresses[0]}/32`, nodes.size);
  await lab.router.waitForPaths(`${addresses[1]}/128`, nodes.size);
  for (const address of addresses) await expectSpread(cluster, { address, names: pods.map(({ name }) => name) });
  const [failing, deleted, last] = pods;
  assert(failing !== undefined && deleted !== undefined && last !== undefined);
  await kubectl.run("exec", failing.name, "--", ...BREAK_STAND_IN);
  await kubectl.run("delete", "pod", deleted.name, "--wait=false");
  await until(`the node says that ${failing.name} waits`, async () => {
    const status = record((await kubectl.get("nodeconfig", failing.node.name))["status"]);
    const waiting = records(status["anycast"]).filter(({ address }) => addresses.includes(String(address)))
      .flatMap(({ waiting }) => records(waiting)).filter(({ pod }) => pod === `default/${failing.name}`);
    return waiting.length === addresses.length && waiting.every(({ reason }) => reason === "notReady");
  }, SLOW);
  for (const address of addresses) {
    for (let question = 0; question < 20; question++) {
      const name = await ask(lab.client, { address, port: STAND_IN_PORTS.resolver });
      assert(![failing.name, deleted.name].includes(name), `${name} serves no more`);
    }
  }
}

async function expectSpread(
  { lab }: Cluster,
  { address, names }: { readonly address: string; readonly names: readonly string[] },
): Promise<void> {
  const heard = new Set<string>();
  await until(`all of ${names.join()} were heard at ${address}`, async () => {
    heard.add(await ask(lab.client, { address, port: STAND_IN_PORTS.resolver }));
    return heard.size === names.length;
  }, { timeoutMs: 30_000 });
  assertEquals([...heard].sort(), [...names].sort());
}

/** "Everything the pod sends" is of its address; a second pod on its node is refused; it follows the pod to another node. */
async function expectMail(cluster: Cluster): Promise<void> {
  const { kubectl } = cluster;
  const [set] = await exampleOf(MAIL);
  const annotations = podOf(set ?? {}).annotations;
  const addresses = listOf(annotations["flock.fritzlab.net/addresses"]);
  const [pod] = await readyPods(cluster, 1, "-l", "app=mail");
  assert(pod !== undefined);
  await expectOwnAddress(cluster, { pod, addresses });
  const second = workload("StatefulSet", "mail-too", {
    replicas: 1,
    annotations: { "flock.fritzlab.net/addresses": addresses.join() },
    spec: { nodeName: pod.node.name },
  });
  await kubectl.apply([second]);
  const why = await until("the second pod is refused", async () => {
    const { items } = await kubectl.get("events", "--field-selector", "reason=InvalidAnnotation");
    return records(items).find(({ involvedObject }) => record(involvedObject)["name"] === "mail-too-0");
  }, SLOW);
  assertMatch(String(why["message"]), new RegExp(`flock.fritzlab.net/addresses.*${addresses[0]}`));
  await kubectl.run("delete", "statefulset/mail-too");
  await kubectl.run("cordon", pod.node.name);
  await kubectl.run("delete", "pod", pod.name);
  const [moved] = await readyPods(cluster, 1, "-l", "app=mail");
  await kubectl.run("uncordon", pod.node.name);
  assert(moved !== undefined && moved.node !== pod.node);
  await expectOwnAddress(cluster, { pod: moved, addresses });
}

async function expectOwnAddress(
  { lab }: Cluster,
  { pod, addresses }: { readonly pod: ClusterPod; readonly addresses: readonly [string, string] },
): Promise<void> {
  assertEquals([pod.address(4), pod.address(6)], addresses);
  for (const [index, target] of ["198.51.100.2", "2001:db8:c::2"].entries()) {
    const address = addresses[index] ?? "";
    const prefix = `${address}/${index === 0 ? 32 : 128}`;
    const own = pod.node.spec.addresses[index === 0 ? 4 : 6];
    await until(`the router leads ${prefix} to ${pod.node.name}`, async () => {
      const paths = (await lab.router.bgpRoutes()).get(prefix) ?? [];
      return paths.length === 1 && paths[0]?.nextHops.includes(own ?? "");
    });
    assertEquals(await ask(lab.client, { address, port: STAND_IN_PORTS.mail }), pod.name);
    assert(await ping(pod, target) !== undefined);
    assertMatch((await pod.exec(["ip", "route", "get", target])).stdout, new RegExp(` src ${address} `));
  }
}

/** The pods behind it carry the annotation that the README shows: "a pod on the client's own node is preferred". */
async function expectCache(cluster: Cluster): Promise<void> {
  const { kubectl, lab } = cluster;
  const slice = (await exampleOf(CACHE)).find(({ kind }) => kind === "EndpointSlice") ?? {};
  const address = String(records(slice["endpoints"]).flatMap(({ addresses }) => addresses)[0]);
  assertStringIncludes(await readReadme(), `\`flock.fritzlab.net/anycast: "${address}"\``);
  const [image] = await exampleImages();
  await kubectl.apply([
    workload("DaemonSet", "cache", {
      annotations: { "flock.fritzlab.net/anycast": address },
      containers: [{ name: "redis", image }],
    }),
  ]);
  const caches = await readyPods(cluster, lab.nodes.length, "-l", "app=cache");
  await lab.router.waitForPaths(`${address}/128`, lab.nodes.length);
  const { spec } = await kubectl.get("service", "cache");
  assertEquals(record(spec)["clusterIP"], "None");
  assertStringIncludes(JSON.stringify(record(spec)["ipFamilies"]), "IPv6", "DNS answers for that family");
  const clients = await readyPods(cluster, lab.nodes.length, "-l", "app=web");
  for (const client of clients) {
    const near = caches.find(({ node }) => node === client.node);
    for (let question = 0; question < 5; question++) {
      assertEquals(await ask(client, { address, port: STAND_IN_PORTS.cache }), near?.name);
    }
  }
  const heard = await ask(lab.client, { address, port: STAND_IN_PORTS.cache });
  assert(caches.some(({ name }) => name === heard), "clients outside of the cluster too");
}
