/** Links, routes and neighbours of pods: whatever was there before, whatever happens beside them. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { capture } from "../lab/probes.ts";
import { CLIENT } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { age } from "./_age.ts";
import { allocationsOf, expectPing, kernelOf, startCluster } from "./_cluster.ts";
import { addSandbox, type CallOptions, callPlugin, createSandbox, type Sandbox } from "./_sandbox.ts";

const NOTHING = { links: [], routes: [], grants: [] };
const STALE = { 4: "203.0.113.33", 6: "2001:db8:f001::33" } as const;
/** How long strangers' links come and go. */
const CHURN_MS = 2500;

Deno.test("a pod's links and routes", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  await t.step("the first packet is answered, out and in, the moment that ADD has answered (T-REL-29)", async () => {
    const [pod, other] = [await createSandbox(node), await addSandbox(node)];
    await pod.add();
    await Promise.all(([4, 6] as const).flatMap((family) => [
      expectPing(pod, CLIENT[family]),
      expectPing(lab.client, pod.address(family)),
      expectPing(other, pod.address(family)),
      expectPing(pod, other.address(family)),
    ]));
    await Promise.all([pod.remove(), other.remove()]);
  });
  await t.step("the IPv6 address can be bound the moment that ADD has answered (T-REL-30)", async () => {
    const pod = await addSandbox(node);
    const listen = `Deno.listen({ hostname: ${JSON.stringify(pod.address(6))}, port: 80 }).close()`;
    await pod.output([Deno.execPath(), "eval", listen]);
    const addresses = await pod.output(["ip", "-6", "-o", "address", "show", "dev", "eth0"]);
    assertEquals([addresses.trim().split("\n").length, addresses.includes("tentative")], [2, false], addresses);
    await pod.remove();
  });
  await t.step("a DEL of the old container leaves the new one of the same pod alone (T-REL-25)", async () => {
    const pod = { name: "web-0", uid: "0123456789abcdef0123456789abcdef" };
    const [first, second] = [await addSandbox(node, { pod }), await addSandbox(node, { pod })];
    await first.remove();
    for (const family of [4, 6] as const) await expectPing(lab.client, second.address(family));
    assertEquals((await kernelOf(node)).links, [second.hostLink]);
    assertEquals((await allocationsOf(node)).map(({ containerId }) => containerId), [second.id]);
    await second.remove();
  });
  await t.step("links, routes, neighbours and grants from before are in no ADD's way, and go (T-REL-26)", async () => {
    const pod = await createSandbox(node);
    await node.output(["sh", "-ec", leftovers(pod)]);
    await pod.add(within(`${STALE[4]}/32`, `${STALE[6]}/128`));
    assertEquals(pod.addresses.toSorted(), Object.values(STALE).toSorted());
    for (const family of [4, 6] as const) await expectPing(lab.client, STALE[family]);
    const paths = Object.values(STALE).map((address) => `${address} ${pod.hostLink}`).sort();
    assertEquals(await kernelOf(node), { links: [pod.hostLink], routes: paths, grants: paths });
    assertEquals(await node.output(["ip", "-br", "link", "show", "type", "veth"]).then(linksIn), ["up0", pod.hostLink]);
    await pod.remove();
    await node.output(["ip", "link", "delete", "old0"]);
    assertEquals(await kernelOf(node), NOTHING);
  });
  await t.step(
    "pods work on a node without a default route, after they forgot their neighbours too (T-REL-31)",
    async () => {
      const defaults = await takeDefaultRoutes(node);
      const [pod, other] = [await addSandbox(node), await addSandbox(node)];
      await expectNodeAndNeighbour(node, pod, other);
      await pod.output(["ip", "neigh", "flush", "all", "nud", "permanent"]);
      await pod.output(["ip", "neigh", "flush", "all"]);
      await expectNodeAndNeighbour(node, pod, other);
      await node.output(["sh", "-ec", defaults]);
      for (const family of [4, 6] as const) await expectPing(pod, CLIENT[family]);
      await Promise.all([pod.remove(), other.remove()]);
    },
  );
  await t.step("pods work where kube-proxy has set arp_ignore=1 and arp_announce=2 (T-REL-32)", async () => {
    const set = (ignore: number, announce: number): Promise<string> =>
      node.output([
        "sh",
        "-ec",
        `cd /run/flock/sys/ipv4/conf/all; echo ${ignore} >arp_ignore; echo ${announce} >arp_announce`,
      ]);
    await set(1, 2);
    const pod = await addSandbox(node);
    for (const family of [4, 6] as const) {
      await expectPing(pod, CLIENT[family]);
      await expectPing(lab.client, pod.address(family));
    }
    await set(0, 0);
    await pod.remove();
  });
  await t.step("nobody answers a pod's question for its own address (T-REL-36)", async () => {
    const pod = await addSandbox(node);
    const ask = (...words: string[]): Promise<string> =>
      pod.exec(["busybox", "arping", "-I", "eth0", "-w", "1", ...words]).then(({ stdout }) => stdout);
    await using answers = await capture(node, `arp[6:2] = 2 and arp src host ${pod.address(4)}`, {
      link: pod.hostLink,
    });
    const own = pod.address(4);
    const heard = await Promise.all([
      ask("-D", own),
      ask("-c", "1", "-s", own, own),
      ask("-c", "1", "-s", own, "169.254.1.1"),
    ]);
    assertEquals(heard.map((said) => /Received (\d+) /.exec(said)?.[1]), ["0", "0", "1"]);
    assertEquals(await answers.packets(0), []);
    await pod.remove();
  });
  await t.step("links of others that come and go make no ADD, CHECK or GC err (T-REL-33)", () => expectCalm(lab, node));
  await t.step("an agent in a mount namespace of its own keeps no network namespace alive (T-REL-34)", async () => {
    await node.stopAgent();
    // As a DaemonSet's `mountPropagation: HostToContainer` does.
    const daemon = await node.startAgent({ through: ["unshare", "--mount", "--propagation", "slave"] });
    const pod = await createSandbox(node);
    const { document: prevResult } = await pod.call("ADD");
    assertEquals((await pod.call("CHECK", { config: { prevResult } })).msg, "");
    const open = await node.output(["sh", "-c", "ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c 'net:\\[' || true"]);
    assertEquals(open.trim(), "0");
    await node.output(["ip", "netns", "delete", pod.id]);
    await until("the namespace and its link are gone", async () => (await kernelOf(node)).links.length === 0, {
      timeoutMs: 30_000,
    });
    const mounts = await Deno.readTextFile(`/proc/${daemon.pid}/mountinfo`);
    assertStringIncludes(mounts, " master:");
    assertEquals(mounts.split("\n").filter((line) => line.includes(pod.id)), []);
  });
});

/** What an ADD that did not end may leave for this container, and flock's own entries for these addresses on a link that is not its. */
function leftovers({ hostLink }: Sandbox): string {
  const [four, six] = [STALE[4], STALE[6]];
  return `
    ip link add ${hostLink} type veth peer name stale0
    ip link set ${hostLink} up
    ip link add old0 type bridge
    ip link set old0 up
    ip route add ${four}/32 dev old0 proto 70 metric 20
    ip -6 route add ${six}/128 dev old0 proto 70 metric 20
    ip neigh add ${four} lladdr 02:00:00:00:00:01 dev ${hostLink} nud permanent
    ip -6 neigh add ${six} lladdr 02:00:00:00:00:01 dev ${hostLink} nud permanent
    nft add element inet flock own4 { ${hostLink} . ${four} }
    nft add element inet flock own6 { ${hostLink} . ${six} }`;
}

/** The runtime passes annotations that leave one address of each family. */
function within(cidr4: string, cidr6: string): CallOptions {
  const annotations = { "flock.fritzlab.net/cidr4": cidr4, "flock.fritzlab.net/cidr6": cidr6 };
  return { config: { runtimeConfig: { "io.kubernetes.cri.pod-annotations": annotations } } };
}

function linksIn(brief: string): string[] {
  return brief.trim().split("\n").map((line) => line.split(/[@ ]/)[0] ?? "").sort().reverse();
}

/** Takes the node's default routes away, those from BGP included. @returns a script that restores the static ones */
async function takeDefaultRoutes(node: LabNode): Promise<string> {
  const read = async (family: string): Promise<string[]> => {
    const routes = (await node.output(["ip", family, "route", "show", "default"])).trim().split("\n");
    return routes.filter((route) => route !== "").map((route) => `ip ${family} route replace ${route.trim()}`);
  };
  const commands = [...await read("-4"), ...await read("-6")].map((command) =>
    command.replace(/ (pref|expires) \S+/g, "")
  );
  await node.output(["sh", "-ec", commands.map((command) => command.replace(" replace ", " delete ")).join("\n")]);
  return commands.join("\n");
}

async function expectNodeAndNeighbour(node: LabNode, pod: Sandbox, other: Sandbox): Promise<void> {
  for (const family of [4, 6] as const) {
    await expectPing(pod, node.spec.addresses[family] ?? "");
    await expectPing(pod, other.address(family));
  }
}

/**
 * More than fifty links are made and deleted each second meanwhile. Two pods are old enough for the collector, and of one of them nothing
 * but its link says that it lives: its namespace has lost its name.
 */
async function expectCalm(lab: Lab, node: LabNode): Promise<void> {
  const [stays, nameless] = [await createSandbox(node), await addSandbox(node)];
  const { document: prevResult } = await stays.call("ADD");
  const held = nameless.exec(["sleep", "60"], { timeoutMs: 60_000 });
  const pids = async (): Promise<string> => (await node.output(["ip", "netns", "pids", nameless.id])).trim();
  const holder = await until("the namespace is held", async () => await pids() || undefined);
  await age(node, () => node.output(["ip", "netns", "delete", nameless.id]));
  await (await addSandbox(node)).remove(); // the agent's first looks are over
  const before = (await node.readLog("agent")).length;
  const churn = node.output(["sh", "-c", churnScript()], { timeoutMs: 30_000 });
  const valid = [stays, nameless].map(({ id }) => ({ containerID: id, ifname: "eth0" }));
  const end = performance.now() + CHURN_MS;
  while (performance.now() < end) {
    const goes = addSandbox(node);
    const check = await stays.call("CHECK", { config: { prevResult } });
    assertEquals([check.exit, check.msg], [0, ""]);
    await (await goes).remove();
    for (const list of [valid, []]) {
      const collected = await callPlugin(node, "GC", { config: { "cni.dev/valid-attachments": list } });
      assertEquals([collected.exit, collected.msg], [0, ""]);
    }
  }
  const made = Number(await churn);
  assert(made >= 10, `only ${made} links were made`);
  for (const pod of [stays, nameless]) {
    for (const family of [4, 6] as const) await expectPing(lab.client, pod.address(family));
  }
  assertEquals((await kernelOf(node)).links, [stays, nameless].map(({ hostLink }) => hostLink).sort());
  const log = (await node.readLog("agent")).slice(before);
  for (const word of ["repaired", "collecting", "error"]) assert(!log.includes(`"${word}`), log);
  await stays.remove();
  assertEquals((await nameless.call("DEL")).msg, "");
  await node.output(["kill", holder]);
  await held;
}

/** @returns a script that prints how many links it made; their group lets ten go at the cost of one */
function churnScript(): string {
  const links = Array.from({ length: 10 }, (_, n) => `link add churn${n} group 7 type veth peer name nruhc${n}`).join(
    "\\n",
  );
  return `end=$(($(date +%s%3N) + ${CHURN_MS})) n=0
    while [ $(date +%s%3N) -lt $end ]; do
      printf '${links}\\n' | ip -batch - && ip link delete group 7 && n=$((n + 10))
    done
    echo $n`;
}
