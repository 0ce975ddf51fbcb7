/** What operators and users get wrong, on real objects: refused with field, value and rule; the last good state stays in force. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CNI_CODE } from "../../src/cnispec/cni_error.ts";
import { record } from "../lab/json.ts";
import { ApiRefused, type KubeObject } from "../lab/lab_api.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import {
  configPath,
  createPod,
  expectPing,
  prefixesOf,
  startCluster,
  untilCondition,
  untilEvent,
  untilLogged,
} from "./_cluster.ts";
import { addSandbox, type CallOptions, createSandbox } from "./_sandbox.ts";

const PEER = { address: "192.0.2.1", asn: 65000 };

interface BadSpec {
  readonly title: string;
  /** Merged into a good spec. */
  readonly spec: KubeObject;
  /** What the agent's refusal must name: field, value and rule. */
  readonly says: readonly string[];
  /** What the schema's must, where that one cannot say as much. */
  readonly schemaSays?: readonly string[];
}

const BAD_SPECS: readonly BadSpec[] = [
  {
    title: "host bits set",
    spec: { cidr4: ["203.0.113.1/26"] },
    says: ["spec.cidr4[0]", "203.0.113.1/26", "host bits"],
  },
  {
    title: "overlapping CIDRs",
    spec: { cidr6: ["2001:db8:f001::/64", "2001:db8:f001::/80"] },
    says: ["spec.cidr6[1]", "2001:db8:f001::/80", "must not overlap 2001:db8:f001::/64"],
    schemaSays: ["spec.cidr6", "must not overlap"],
  },
  {
    title: "/31 in cidr4",
    spec: { cidr4: ["203.0.113.0/31"] },
    says: ["spec.cidr4[0]", "203.0.113.0/31", "must be /30 or wider"],
  },
  {
    title: "ASN 0",
    spec: { bgp: { asn: 0, peers: [PEER] } },
    says: ["spec.bgp.asn", "0", "greater than or equal to 1"],
  },
  {
    title: "a peer that is no address",
    spec: { bgp: { asn: 65101, peers: [{ ...PEER, address: "router-1" }] } },
    says: ["spec.bgp.peers[0].address", "router-1", "must be an IP address"],
  },
  { title: "no family left", spec: { cidr4: null, cidr6: null }, says: ["spec", "at least one CIDR"] },
  {
    title: "the node's own subnet",
    spec: { cidr4: ["192.0.2.8/29"] },
    says: ["spec.cidr4[0]", "192.0.2.8/29", "must not contain the node's own address 192.0.2.10 on up0"],
  },
];

Deno.test("bad NodeConfigs are refused by schema or agent, and the last good one stays in force", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  const good = record((await lab.api.get(configPath(node)))?.["spec"]);
  for (const bad of BAD_SPECS) {
    await t.step(bad.title, async () => {
      const { by, message } = await refusalOf(lab, node, bad.spec);
      const parts = by === "schema" ? bad.schemaSays ?? bad.says : bad.says;
      for (const part of parts) assertStringIncludes(message, part);
    });
    await lab.api.patch(configPath(node), { spec: good });
  }
  await t.step("an agent that is killed and starts beside a bad one goes on with the last good one", async () => {
    const bad = BAD_SPECS.at(-1)?.spec ?? {};
    await refusalOf(lab, node, bad);
    await node.stopAgent("SIGKILL");
    await node.startAgent();
    const pod = await addSandbox(node);
    for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
    await pod.remove();
    await lab.api.patch(configPath(node), { spec: good });
  });
  await t.step("nothing of it came into force", async () => {
    assertEquals([...(await lab.router.bgpRoutes(4)).keys()].includes(node.spec.cidr4), true);
    for (const prefix of prefixesOf(node)) await lab.router.waitForRoute(prefix);
    const pod = await addSandbox(node);
    assert(pod.address(4).startsWith("203.0.113."));
    for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
  });
  await t.step("the next good one does", async () => {
    await lab.api.patch(configPath(node), { spec: { ...good, mtu: 1400 } });
    await untilCondition(lab, node, { reason: "Accepted" });
    const pod = await addSandbox(node);
    assertStringIncludes(await pod.output(["ip", "link", "show", "dev", "eth0"]), "mtu 1400");
  });
});

/** @returns what the operator is told: by the API server, else by the condition, which an Event repeats */
async function refusalOf(
  lab: Lab,
  node: LabNode,
  spec: KubeObject,
): Promise<{ by: "schema" | "agent"; message: string }> {
  try {
    const { metadata } = await lab.api.patch(configPath(node), { spec });
    const generation = Number(record(metadata)["generation"]);
    const condition = await untilCondition(lab, node, { reason: "Invalid", generation });
    assertMatch(condition, /generation \d+ stays in force$/);
    return {
      by: "agent",
      message: await untilEvent(lab, node.name, { reason: "InvalidNodeConfig", includes: condition }),
    };
  } catch (error) {
    if (!(error instanceof ApiRefused)) throw error;
    return { by: "schema", message: error.message };
  }
}

/** annotation, value, and what the message must say of it */
const BAD_ANNOTATIONS: readonly [key: string, value: string, says: string][] = [
  ["ipv6", "yes", '"yes": must be true or false'],
  ["ipv4", "1", '"1": must be true or false'],
  ["cidr4", "", '"": must list at least one CIDR'],
  ["cidr6", " , ", '"": must not have an empty entry'],
  ["cidr4", "198.51.100.0/24", '"198.51.100.0/24": must name a part or the whole of a node CIDR (203.0.113.0/26)'],
  ["cidr6", Array(10_000).fill("2001:db8::/64").join(), "must have at most 4096 characters and 64 entries"],
  ["cidr4", "x".repeat(200 * 1024), 'xxx...": must have at most 4096 characters and 64 entries'],
];

Deno.test("bad annotations fail the ADD and are told on the pod, whichever way they come", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  for (const [index, [key, value, says]] of BAD_ANNOTATIONS.entries()) {
    await t.step(`${key}: ${value.slice(0, 20)}`, async () => {
      const annotations = { [`flock.fritzlab.net/${key}`]: value };
      const name = `bad-${index}`;
      const uid = await createPod(lab, { name, annotations, nodeName: node.name });
      const answer = await refuse(node, { pod: { name, uid } });
      assertStringIncludes(answer, `annotation flock.fritzlab.net/${key} "`);
      assertStringIncludes(answer, says);
      const told = await untilEvent(lab, name, { reason: "InvalidAnnotation" });
      assertEquals(told, answer);
      const [, request = ""] = told.match(/; request ([0-9a-f]{12})$/) ?? [];
      await untilLogged(node, [`"request refused"`, `"request":"${request}"`, name]);
    });
  }
  await t.step("passed on by the runtime (T-CNI-31)", async () => {
    const annotations = { "flock.fritzlab.net/ipv6": "yes" };
    const config = { runtimeConfig: { "io.kubernetes.cri.pod-annotations": annotations } };
    const uid = "0123456789abcdef0123456789abcdef"; // of a static pod, which no API server knows
    assertStringIncludes(await refuse(node, { pod: { name: "static", uid }, config }), '"yes"');
  });
  await t.step("a bad ip-algo is only warned of", async () => {
    const annotations = { "flock.fritzlab.net/ip-algo": "namespace,namespace" };
    const uid = await createPod(lab, { name: "warned", annotations, nodeName: node.name });
    const pod = await addSandbox(node, { pod: { name: "warned", uid } });
    await expectPing(lab.client, pod.address(6));
    const warning = await untilEvent(lab, "warned", { reason: "AnnotationIgnored" });
    assertStringIncludes(warning, 'ip-algo "namespace,namespace" of the pod is ignored');
    await pod.remove();
  });
  await t.step("no address was lost on them", async () => {
    const used = await Promise.all(Array.from({ length: 8 }, () => addSandbox(node)));
    assertEquals(new Set(used.flatMap((pod) => pod.addresses)).size, 16);
  });
});

/** @returns the message with which the ADD failed */
async function refuse(node: LabNode, options: CallOptions): Promise<string> {
  const sandbox = await createSandbox(node);
  const { code, msg, document } = await sandbox.call("ADD", options);
  assertEquals([code, (await sandbox.output(["ip", "-o", "link"])).includes("eth0")], [
    CNI_CODE.invalidAnnotation,
    false,
  ], msg);
  await sandbox.remove();
  return `${msg}; ${document["details"]}`;
}
