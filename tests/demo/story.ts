/** What the demo does and looks at, in the order in which it tells it. */
import { assert, assertEquals } from "@std/assert";
import type { Family } from "../../src/ip/address.ts";
import { record, records } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import type { LabPod, PodSpec } from "../lab/pods.ts";
import { capture, echo, ping, type PingOptions, sourceOf, startEcho, type Vantage } from "../lab/probes.ts";
import { CLIENT } from "../lab/topology.ts";
import { anycast } from "./failover.ts";
import type { Screen } from "./screen.ts";

/** Who plays. */
export interface Cast {
  readonly lab: Lab;
  readonly nodeA: LabNode;
  readonly nodeB: LabNode;
  /** On node-a. */
  readonly red: LabPod;
  /** On node-a, from a range of one address for each family. */
  readonly green: LabPod;
  /** On node-b. */
  readonly blue: LabPod;
  /** Milliseconds that containerd took for each sandbox, in the order of their start. */
  readonly sandboxTimes: readonly number[];
}

const FAMILIES: readonly Family[] = [6, 4];
const GREEN = { 6: "2001:db8:f001::20", 4: "203.0.113.32" } as const;
const GREEN_SPEC = {
  name: "green",
  annotations: { "flock.fritzlab.net/cidr6": `${GREEN[6]}/128`, "flock.fritzlab.net/cidr4": `${GREEN[4]}/32` },
};
/** Free addresses of node-a's prefixes: what an impostor would use. */
const FORGED = { 6: "2001:db8:f001::bad", 4: "203.0.113.61" } as const;

/** Starts nodes and pods. @throws when that much fails: there is nothing to look at then */
export async function startCast(lab: Lab, screen: Screen): Promise<Cast> {
  const [nodeA, nodeB] = [lab.node("node-a"), lab.node("node-b")];
  await screen.step(
    "NodeConfigs, BIRD, flock agent, containerd",
    () => Promise.all(lab.nodes.map((node) => node.serve())),
  );
  screen.heading("The router learns the nodes' prefixes");
  await screen.step("BGP sessions and routes", () => waitForPrefixes(lab), () => "4 prefixes over 4 sessions");
  for (const line of await describeBgpTable(lab)) screen.print(`      ${screen.paint(line, "cyan")}`);
  screen.heading("containerd starts pods");
  const sandboxTimes: number[] = [];
  const start = async (node: LabNode, spec: PodSpec): Promise<LabPod> => {
    const begin = performance.now();
    const pod = await screen.step(`pod ${spec.name} on ${node.name}`, () => node.runPod(spec), describeAddresses);
    sandboxTimes.push(performance.now() - begin);
    return pod;
  };
  const red = await start(nodeA, { name: "red" });
  const green = await start(nodeA, GREEN_SPEC);
  const blue = await start(nodeB, { name: "blue" });
  return { lab, nodeA, nodeB, red, green, blue, sandboxTimes };
}

/** Looks at everything. Never throws for something that does not hold: the screen counts that. */
export async function tellStory(cast: Cast, screen: Screen): Promise<void> {
  const chapters = [
    ["Everybody reaches everybody", reachability],
    ["9000 bytes, end to end", mtu],
    ["No NAT: the far side sees the pod's own address", sources],
    ["One anycast address, two pods", anycast],
    ["A deleted pod's address goes, and comes back", addressReturn],
    ["What the cluster sees", clusterView],
  ] as const;
  for (const [title, chapter] of chapters) {
    screen.heading(title);
    await chapter(cast, screen);
  }
}

async function reachability({ lab: { client }, red, green, blue }: Cast, screen: Screen): Promise<void> {
  await screen.check("pod to pod across nodes, both ways", async () => {
    const there = await pingBoth(red, (family) => blue.address(family));
    return `${there}; back ${await pingBoth(blue, (family) => red.address(family))}`;
  });
  await screen.check("pod to pod on one node", () => pingBoth(red, (family) => green.address(family)));
  await screen.check("client to pod", () => pingBoth(client, (family) => blue.address(family)));
  await screen.check("pod to the outside", () => pingBoth(red, (family) => CLIENT[family]));
  await screen.check("64 KiB over TCP to the outside", async () => {
    await startEcho(client);
    const text = "flock ".repeat(10_923);
    for (const family of FAMILIES) assertEquals((await echo(red, CLIENT[family], text)).length, text.length);
    return "returned whole, IPv6 and IPv4";
  });
}

async function mtu({ lab: { client }, red, blue }: Cast, screen: Screen): Promise<void> {
  const packetSize = 9000;
  await screen.check("pod to pod, do not fragment", () => pingBoth(red, (f) => blue.address(f), { packetSize }));
  await screen.check("client to pod, do not fragment", () => pingBoth(client, (f) => blue.address(f), { packetSize }));
  await screen.check("one byte more is refused", async () => {
    const options = { packetSize: packetSize + 1, timeoutMs: 300 };
    for (const family of FAMILIES) assertEquals(await ping(red, blue.address(family), options), undefined);
    return "not sent, IPv6 and IPv4";
  });
}

async function sources({ lab: { client }, nodeA, red }: Cast, screen: Screen): Promise<void> {
  for (const family of FAMILIES) {
    await screen.check(`IPv${family} source at the client`, async () => {
      await using seen = await capture(client, echoRequests(family), { link: "up0" });
      await ping(red, CLIENT[family]);
      const source = sourceOf((await seen.packets(1))[0] ?? "");
      assertEquals(source, red.address(family));
      return `${source} is red's eth0`;
    });
  }
  for (const family of FAMILIES) {
    await screen.check(`a forged IPv${family} source stays on the node`, async () => {
      await using seen = await capture(client, echoRequests(family), { link: "up0" });
      await using sent = await capture(nodeA, `src host ${FORGED[family]}`);
      await pingForged(red, family);
      await sent.packets(1);
      await ping(red, CLIENT[family]);
      const arrived = (await seen.packets(1)).map(sourceOf);
      assertEquals(arrived, [red.address(family)]);
      return `${FORGED[family]} left the pod and never arrived`;
    });
  }
}

async function addressReturn({ nodeA, lab: { client }, green }: Cast, screen: Screen): Promise<void> {
  const old = FAMILIES.map((family) => green.address(family));
  await screen.check("DEL of green", async () => {
    assertEquals(old, FAMILIES.map((family) => GREEN[family]));
    await green.remove();
    for (const address of old) assertEquals(await ping(client, address, { timeoutMs: 300 }), undefined);
    return `${old.join(" and ")} no longer answer`;
  });
  await screen.check("the next pod gets other addresses", async () => {
    const grey = await nodeA.runPod({ name: "grey" });
    for (const family of FAMILIES) {
      assert(!old.includes(grey.address(family)), `${grey.address(family)} was green's just now`);
    }
    await grey.remove();
    return `${describeAddresses(grey)} (green's rest for 30 s)`;
  });
  await screen.check("a pod that may have nothing else gets them", async () => {
    const again = await nodeA.runPod({ ...GREEN_SPEC, name: "green-again" });
    assertEquals(FAMILIES.map((family) => again.address(family)), old);
    return `${describeAddresses(again)}; from the client ${await pingBoth(client, (family) => again.address(family))}`;
  });
}

async function clusterView({ lab }: Cast, screen: Screen): Promise<void> {
  for (const { name } of lab.nodes) {
    await screen.check(`${name} in the API server`, async () => {
      const node = await lab.api.get(`/api/v1/nodes/${name}`);
      const conditions = records(record(node?.["status"])["conditions"]);
      const found = conditions.find(({ type }) => type === "NetworkUnavailable");
      assertEquals(found?.["status"], "False");
      return `NetworkUnavailable=False, ${found?.["reason"]}`;
    });
  }
}

async function waitForPrefixes({ nodes, router }: Lab): Promise<void> {
  await Promise.all(nodes.flatMap(({ spec }) => [spec.cidr6, spec.cidr4]).map((prefix) => router.waitForRoute(prefix)));
}

async function describeBgpTable({ router, nodes }: Lab): Promise<string[]> {
  const table = await router.bgpRoutes();
  return nodes.flatMap(({ spec }) => [spec.cidr6, spec.cidr4]).map((prefix) => {
    const path = table.get(prefix)?.find(({ best }) => best);
    return `${prefix.padEnd(22)} via ${(path?.nextHops[0] ?? "nobody").padEnd(16)} AS path ${path?.asPath ?? ""}`;
  });
}

const describeAddresses = (pod: LabPod): string => FAMILIES.map((family) => pod.address(family)).join("  ");

/** @returns round-trip times. @throws when one of the two families gets no answer */
async function pingBoth(from: Vantage, to: (family: Family) => string, options: PingOptions = {}): Promise<string> {
  const times: string[] = [];
  for (const family of FAMILIES) {
    const time = await ping(from, to(family), options);
    assert(time !== undefined, `no answer from ${to(family)}`);
    times.push(`IPv${family} ${time} ms`);
  }
  return times.join(", ");
}

/** Gives the pod an address that is not its own, sends a packet from it and takes it away again. */
async function pingForged(pod: LabPod, family: Family): Promise<void> {
  const address = `${FORGED[family]}/${family === 6 ? "128" : "32"}`;
  await pod.output(["ip", "address", "add", address, "dev", "eth0", ...(family === 6 ? ["nodad"] : [])]);
  await ping(pod, CLIENT[family], { source: FORGED[family], timeoutMs: 300 });
  await pod.output(["ip", "address", "del", address, "dev", "eth0"]);
}

function echoRequests(family: Family): string {
  return family === 6 ? "icmp6 and ip6[40] == 128" : "icmp[icmptype] == icmp-echo";
}
