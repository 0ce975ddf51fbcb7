/** Addresses that no pod can have: each is refused with annotation, value and rule, told on the pod, and leaves nothing half-bound. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { CNI_CODE } from "../../src/cnispec/cni_error.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { ROUTER } from "../lab/topology.ts";
import { allocationsOf, createPod, kernelOf, startCluster, untilEvent } from "./_cluster.ts";
import { annotationsOf, boundOn, runServicePod, type ServicePodSpec } from "./_service_pod.ts";
import { addSandbox, createSandbox } from "./_sandbox.ts";

const FINE = { 4: "198.18.0.1", 6: "2001:db8:a::1" } as const;
const FAR = { cidr: "198.18.64.0/24", pod: "198.18.64.7", router: "198.18.65.1" } as const;
const HELD = "198.18.1.1";
const MANY = Array.from({ length: 10_000 }, (_, index) => `2001:db8:a::${(index + 1).toString(16)}`).join();

interface BadList {
  readonly what: string;
  /** Stands behind a fine address of each family. */
  readonly value: string;
  /** Words of the rule. */
  readonly rule: string;
}

const BAD: readonly BadList[] = [
  { what: "no IP", value: "web", rule: "must be an IP address" },
  { what: "a CIDR", value: "198.18.0.0/24", rule: "without a prefix length" },
  { what: "an IPv6 address with its length", value: "2001:db8:a::2/128", rule: "without a prefix length" },
  { what: "loopback", value: "127.0.0.53", rule: "loopback" },
  { what: "IPv6 loopback", value: "::1", rule: "loopback" },
  { what: "multicast", value: "224.0.0.251", rule: "multicast" },
  { what: "IPv6 multicast", value: "ff02::fb", rule: "multicast" },
  { what: "link-local", value: "169.254.169.254", rule: "link-local" },
  { what: "IPv6 link-local", value: "fe80::53", rule: "link-local" },
  { what: "IPv4-mapped", value: "::ffff:198.18.0.1", rule: "IPv4-mapped" },
  { what: "unspecified", value: "0.0.0.0", rule: "unspecified" },
  { what: "IPv6 unspecified", value: "::", rule: "unspecified" },
  { what: "the node's own", value: "192.0.2.10", rule: "node's own address" },
  { what: "the node's own, IPv6", value: "2001:db8:1::a", rule: "node's own address" },
  { what: "a peer's", value: ROUTER[4], rule: "BGP peer" },
  { what: "a peer's, IPv6", value: ROUTER[6], rule: "BGP peer" },
  { what: "another pod's", value: HELD, rule: "default/holder" },
];

Deno.test("addresses that no pod can have are refused", async (t) => {
  await using lab = await startCluster({ nodes: 1, containerd: false });
  const node = lab.node("node-a");
  const holder = await runServicePod(lab, node, { name: "holder", addresses: [HELD] });
  let count = 0;
  const expectRefused = async (spec: Omit<ServicePodSpec, "name">, says: readonly string[]): Promise<void> =>
    await refuse(lab, node, { ...spec, name: `bad-${count++}`, says });
  for (const key of ["anycast", "addresses"] as const) {
    for (const { what, value, rule } of BAD) {
      await t.step(`${key}: ${what}`, async () => {
        await expectRefused({ [key]: [FINE[4], FINE[6], value] }, [field(key), `"${value}"`, rule]);
      });
    }
    await t.step(`${key}: another pod's own address from the pool`, async () => {
      const value = holder.sandbox.address(6);
      await expectRefused({ [key]: [value] }, [field(key), `"${value}"`, "default/holder"]);
    });
    await t.step(`${key}: a family that the pod does not have`, async () => {
      const annotations = { ipv6: "false" };
      await expectRefused({ [key]: [FINE[4], FINE[6]], annotations }, [field(key), `"${FINE[6]}"`, "IPv6"]);
    });
    await t.step(`${key}: 10 000 entries`, async () => {
      await expectRefused({ [key]: [MANY] }, [field(key), "must have at most 4096 characters and 64 entries"]);
    });
  }
  await t.step("one address in both annotations", async () => {
    const says = ["flock.fritzlab.net/anycast", `"${FINE[4]}"`, "addresses"];
    await expectRefused({ anycast: [FINE[4]], addresses: [FINE[4]] }, says);
  });
  await t.step("every problem of a list is named at once", async () => {
    await expectRefused({ anycast: ["web", "fe80::1"] }, ['"web"', '"fe80::1"']);
  });
  await t.step("an anycast address that a pod serves is nobody's alone", async () => {
    const server = await runServicePod(lab, node, { name: "server", anycast: [FINE[4]] });
    await expectRefused({ addresses: [FINE[4]] }, [field("addresses"), `"${FINE[4]}"`, "default/server"]);
    await server.remove();
  });
  await t.step(
    "the address of a pod of another node, and that of its router; one that both claim is shared",
    async () => {
      await addFarPod(lab, node);
      for (const key of ["anycast", "addresses"] as const) {
        await expectRefused({ [key]: [FAR.pod] }, [field(key), `"${FAR.pod}"`, "default/far on node-far"]);
        await expectRefused({ [key]: [FAR.router] }, [field(key), `"${FAR.router}"`, "BGP peer of node-far"]);
      }
      const annotations = { "flock.fritzlab.net/anycast": FAR.pod };
      await lab.api.patch("/api/v1/namespaces/default/pods/far", { metadata: { annotations } });
      await (await runServicePod(lab, node, { name: "shares", anycast: [FAR.pod] })).remove();
    },
  );
  await t.step("the pods beside them live on, and the next one starts", async () => {
    const next = await addSandbox(node);
    assertEquals((await kernelOf(node)).links, [holder.sandbox.hostLink, next.hostLink].sort());
  });
});

/** A pod of a node that there is by its NodeConfig alone; returns when this node's agent has heard of that. */
async function addFarPod({ api }: Lab, node: LabNode): Promise<void> {
  const [apiVersion, kind] = ["flock.fritzlab.net/v1alpha1", "NodeConfig"];
  const bgp = { asn: 65199, peers: [{ address: FAR.router, asn: 65000 }] };
  await api.apply({ apiVersion, kind, metadata: { name: "node-far" }, spec: { cidr4: [FAR.cidr], bgp } });
  const containers = [{ name: "main", image: "example.com/app:1" }];
  const spec = { automountServiceAccountToken: false, containers, nodeName: "node-far" };
  await api.apply({ apiVersion: "v1", kind: "Pod", metadata: { namespace: "default", name: "far" }, spec });
  const status = { phase: "Running", podIP: FAR.pod, podIPs: [{ ip: FAR.pod }] };
  await api.patch("/api/v1/namespaces/default/pods/far/status", { status });
  const list = ["nft", "list", "table", "inet", "flock"];
  await until("the agent has heard of node-far", async () => (await node.output(list)).includes(FAR.cidr));
}

function field(key: string): string {
  return `annotation flock.fritzlab.net/${key} `;
}

/** Its ADD fails and says so, an Event says the same, and neither node nor pod holds anything of it. */
async function refuse(
  lab: Lab,
  node: LabNode,
  { says, ...spec }: ServicePodSpec & { readonly says: readonly string[] },
): Promise<void> {
  const { name } = spec;
  const before = [await kernelOf(node), await allocationsOf(node)];
  const uid = await createPod(lab, { name, annotations: annotationsOf(spec), nodeName: node.name });
  const sandbox = await createSandbox(node);
  const { code, msg, document } = await sandbox.call("ADD", { pod: { name, uid } });
  assertEquals(code, CNI_CODE.invalidAnnotation, msg);
  for (const words of says) assertStringIncludes(msg, words);
  assertEquals(await untilEvent(lab, name, { reason: "InvalidAnnotation" }), `${msg}; ${document["details"]}`);
  assertEquals((await sandbox.output(["ip", "-o", "link"])).includes("eth0"), false);
  assertEquals(await boundOn("lo", sandbox), []);
  assertEquals([await kernelOf(node), await allocationsOf(node)], before);
  await sandbox.remove();
  await lab.api.delete(`/api/v1/namespaces/default/pods/${name}`);
}
