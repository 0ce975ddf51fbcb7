/** The verbs as a runtime calls them, on a real kernel: what they answer, and what they leave. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { records } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { allocationsOf, expectPing, kernelOf, startCluster } from "./_cluster.ts";
import { tryRequests } from "./_request_scenes.ts";
import { addSandbox, callPlugin, createSandbox, type Sandbox } from "./_sandbox.ts";

const NOTHING = { links: [], routes: [], grants: [] };
const VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
const HOSTILE_IDS = ["../x", "a/b", "", "-x", "x".repeat(300), "\u00e4", "a\nb"];
const HOSTILE_NAMES = ["a123456789012345", ".", "..", "a/b", "a:b", "a b", "a\tb"];
/** What a pod, or a later plugin, may do to its end while the runtime tries its ADD again. */
const POD_CHANGES = [
  "true",
  "ip neigh flush all nud permanent",
  "ip route replace default via 169.254.1.1 dev eth0 onlink mtu 1300",
  "ip -6 address flush dev eth0",
  "ip link set eth0 mtu 1400",
  "ip link set eth0 down",
];
/** Longer than any ADD takes on a busy machine. */
const SWEEP_MS = 3000;

Deno.test("ADD, CHECK and DEL on a real kernel", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  await tryRequests(t, node);
  await t.step("hostile container IDs and interface names make nothing (T-CNI-06, T-CNI-07)", async () => {
    const files = (): Promise<string> =>
      node.output(["find", "/run/flock", "/run/netns", "/var/lib/flock", "/etc/cni"]);
    const sandbox = await createSandbox(node);
    const before = await files();
    const changes = [
      ...HOSTILE_IDS.map((id) => ({ CNI_CONTAINERID: id })),
      ...HOSTILE_NAMES.map((name) => ({ CNI_IFNAME: name })),
    ];
    for (const env of changes) {
      const answers = await Promise.all((["ADD", "DEL"] as const).map((verb) => sandbox.call(verb, { env })));
      assertEquals(answers.map(({ code }) => code), [4, 4], JSON.stringify(env));
    }
    assertEquals([await kernelOf(node), await files()], [NOTHING, before]);
  });
  await t.step(
    "a result names both ends, both addresses, IPv4 first, and both default routes (T-CNI-11, T-CNI-32)",
    async () => {
      const sandbox = await createSandbox(node);
      const { document } = await sandbox.call("ADD");
      const [host, eth0] = records(document["interfaces"]);
      assertEquals([host?.["name"], host?.["sandbox"]], [sandbox.hostLink, undefined]);
      assertEquals([eth0?.["name"], eth0?.["sandbox"]], ["eth0", `/run/netns/${sandbox.id}`]);
      assertMatch(String(eth0?.["mac"]), /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
      assertEquals(records(document["ips"]).map((ip) => ip["interface"]), [1, 1]);
      assertEquals(sandbox.addresses, [sandbox.address(4), sandbox.address(6)]);
      assertEquals(records(document["routes"]).map(({ dst }) => dst).sort(), ["0.0.0.0/0", "::/0"]);
      await sandbox.remove();
    },
  );
  await t.step("ADD again gives the same answer, whatever became of the pod's end (T-CNI-13)", async () => {
    const sandbox = await addSandbox(node);
    const first = sandbox.addresses;
    const index = (): Promise<string> =>
      node.output(["sh", "-c", `ip -o link show dev ${sandbox.hostLink} | cut -d: -f1`]);
    const before = await index();
    for (const change of POD_CHANGES) {
      await sandbox.output(["sh", "-c", change]);
      await sandbox.add();
      assertEquals([sandbox.addresses, (await allocationsOf(node)).length, await index()], [first, 1, before], change);
      for (const address of sandbox.addresses) await expectPing(lab.client, address);
    }
    await sandbox.remove();
  });
  await t.step("an interface that is there already stays untouched, and no address is lost (T-CNI-12)", async () => {
    const sandbox = await createSandbox(node);
    await sandbox.output(["ip", "link", "add", "eth0", "type", "bridge"]);
    const { code, msg } = await sandbox.call("ADD");
    assertEquals(code, 4);
    assertMatch(msg, /has an interface eth0 already/);
    assertMatch(await sandbox.output(["ip", "-d", "link", "show", "eth0"]), /bridge/);
    assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []]);
  });
  await t.step(
    "the node's own namespace, and one that is none, are refused, in no words for `already gone` (T-CNI-14, T-CNI-15, T-CNI-28)",
    async () => {
      const sandbox = await createSandbox(node);
      const before = await node.output(["ip", "-br", "address"]);
      await node.output([
        "sh",
        "-c",
        "touch /run/netns/host /run/netns/file && mount --bind /proc/self/ns/net /run/netns/host",
      ]);
      const add = async (netns: string): Promise<unknown[]> => {
        const { code, msg } = await sandbox.call("ADD", { env: { CNI_NETNS: netns } });
        return [netns, code, /not found|no such file or directory/i.test(msg)];
      };
      for (const netns of ["/run/netns/host", "/proc/1/ns/net", "/proc/self/ns/net"]) {
        assertEquals(await add(netns), [netns, 8, false]);
      }
      for (const netns of ["/run/netns/none", "/run/netns/file"]) assertEquals(await add(netns), [netns, 3, false]);
      assertEquals(await node.output(["ip", "-br", "address"]), before);
      assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []]);
    },
  );
  await t.step("CHECK names whatever is gone or different, and repairs nothing (T-CNI-20)", () => checkEach(node));
  await t.step("DEL succeeds whatever is missing, three at once too (T-CNI-16)", async () => {
    const [twice, gone, bare] = await Promise.all([addSandbox(node), addSandbox(node), addSandbox(node)]);
    await node.output(["ip", "netns", "delete", gone.id]);
    await bare.output(["ip", "link", "delete", "eth0"]);
    const answers = await Promise.all([
      ...[1, 2, 3].map(() => twice.call("DEL")),
      gone.call("DEL"),
      gone.call("DEL", { env: { CNI_NETNS: "" } }),
      bare.call("DEL"),
      bare.call("DEL", { env: { CNI_NETNS: "/run/netns/file" } }),
      (await createSandbox(node)).call("DEL"),
    ]);
    assertEquals(answers.map(({ exit, stdout }) => [exit, stdout]), Array(8).fill([0, ""]));
    assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []]);
  });
  await t.step("DEL frees with a prevResult of any version, or none (T-CNI-18)", async () => {
    const old = { cniVersion: "0.2.0", ip4: { ip: "203.0.113.9/32" } };
    for (const config of [{ prevResult: old }, { prevResult: null }, { prevResult: "?" }, {}]) {
      const { exit, stdout } = await (await addSandbox(node)).call("DEL", { config });
      assertEquals([exit, stdout], [0, ""], JSON.stringify(config));
    }
    assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []]);
  });
  await t.step("a plugin that is killed at every 10 ms of its ADD leaks nothing (T-CNI-26)", async () => {
    let finished = false;
    for (let afterMs = 10; !finished && afterMs < SWEEP_MS; afterMs += 10) {
      const sandbox = await createSandbox(node);
      finished = (await sandbox.call("ADD", { killAfterMs: afterMs })).exit === 0;
      await sandbox.remove();
    }
    assert(finished, "no ADD was left to finish");
    const next = await addSandbox(node);
    await expectPing(lab.client, next.address(6));
    await next.remove();
    assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []]);
  });
  await t.step("every version gets a result of its own schema (T-CNI-10)", async () => {
    for (const cniVersion of VERSIONS) {
      const sandbox = await createSandbox(node);
      const { document } = await sandbox.call("ADD", { config: { cniVersion } });
      assertEquals(document, await expectedResult(node, { sandbox, cniVersion }));
      await sandbox.remove();
    }
  });
  await t.step("verbs that a version lacks are refused (T-CNI-21, T-CNI-25)", async () => {
    const sandbox = await createSandbox(node);
    const answers = await Promise.all([
      sandbox.call("CHECK", { config: { cniVersion: "0.3.1", prevResult: {} } }),
      callPlugin(node, "STATUS", { config: { cniVersion: "1.0.0" } }),
      callPlugin(node, "GC", { config: { cniVersion: "1.0.0", "cni.dev/valid-attachments": [] } }),
    ]);
    assertEquals(answers.map(({ code }) => code), [1, 1, 1]);
  });
  await t.step(
    "what flock does not know changes nothing, and debug logging no output (T-CNI-27, T-CNI-29)",
    async () => {
      const sandbox = await createSandbox(node);
      const options = {
        config: { runtimeConfig: { bandwidth: {} }, args: { cni: { ips: ["192.0.2.1"] } }, "cni.dev/foo": 1, more: [] },
        env: { DEBUG: "*", DENO_LOG: "debug", NODE_DEBUG: "net", RUST_LOG: "debug", TRACEPARENT: "00-0-0-00" },
      };
      const { document: prevResult } = await sandbox.call("ADD", options);
      assert(sandbox.address(4).startsWith("203.0.113."));
      const check = { ...options, config: { ...options.config, prevResult } };
      const valid = { "cni.dev/valid-attachments": [{ containerID: sandbox.id, ifname: "eth0" }] };
      const answers = [
        await sandbox.call("CHECK", check),
        await callPlugin(node, "GC", { ...options, config: { ...options.config, ...valid } }),
        await callPlugin(node, "STATUS", options),
        await sandbox.call("DEL", options),
      ];
      assertEquals(answers.map(({ exit, stdout }) => [exit, stdout]), Array(4).fill([0, ""]));
      assertEquals((await callPlugin(node, "VERSION", options)).document["supportedVersions"], VERSIONS);
    },
  );
});

/** What a result may say of eth0 that is not so. */
const OTHER_ENDS: readonly [Record<string, string>, says: RegExp][] = [
  [{ mac: "02:00:00:00:00:01" }, /prevResult has MAC "02:00:00:00:00:01" for eth0/],
  [{ sandbox: "/run/netns/other" }, /prevResult has eth0 in "\/run\/netns\/other"/],
];

/** All of the result: the keys that the version's schema has, and no other. */
async function expectedResult(
  node: LabNode,
  { sandbox, cniVersion }: { sandbox: Sandbox; cniVersion: string },
): Promise<Record<string, unknown>> {
  const macOf = (shown: string): unknown => records(JSON.parse(shown))[0]?.["address"];
  const show = ["ip", "-j", "link", "show", "dev"];
  const mtu = cniVersion < "1.1" ? {} : { mtu: 9000 };
  const host = { name: sandbox.hostLink, mac: macOf(await node.output([...show, sandbox.hostLink])), ...mtu };
  const netns = `/run/netns/${sandbox.id}`;
  const pod = { name: "eth0", mac: macOf(await sandbox.output([...show, "eth0"])), sandbox: netns, ...mtu };
  const version = (family: string): Record<string, string> => cniVersion < "1" ? { version: family } : {};
  return {
    cniVersion,
    interfaces: [host, pod],
    ips: [
      { ...version("4"), address: `${sandbox.address(4)}/32`, gateway: "169.254.1.1", interface: 1 },
      { ...version("6"), address: `${sandbox.address(6)}/128`, gateway: "fe80::1", interface: 1 },
    ],
    routes: [{ dst: "0.0.0.0/0", gw: "169.254.1.1" }, { dst: "::/0", gw: "fe80::1" }],
    dns: {},
  };
}

/** Breaks one thing after another, each in a sandbox of its own. */
async function checkEach(node: LabNode): Promise<void> {
  const broken: readonly [says: RegExp, breakIt: (sandbox: Sandbox) => Promise<unknown>][] = [
    [
      /address 203\.0\.113\.\d+ on eth0 is missing/,
      (pod) => pod.output(["ip", "address", "del", `${pod.address(4)}/32`, "dev", "eth0"]),
    ],
    [/default route via fe80::1 dev eth0 is missing/, (pod) => pod.output(["ip", "-6", "route", "del", "default"])],
    [/link eth0 is down/, (pod) => pod.output(["ip", "link", "set", "eth0", "down"])],
  ];
  for (const [says, breakIt] of broken) {
    const sandbox = await createSandbox(node);
    const { document: prevResult } = await sandbox.call("ADD");
    assertEquals((await sandbox.call("CHECK", { config: { prevResult } })).exit, 0);
    await breakIt(sandbox);
    for (let time = 0; time < 2; time++) await expectDifference(sandbox, { prevResult, says });
    await sandbox.remove();
  }
  const sandbox = await createSandbox(node);
  const { document: prevResult } = await sandbox.call("ADD");
  assertEquals((await sandbox.call("CHECK")).code, 7); // no prevResult
  const wrong = { ...prevResult, ips: [{ address: "198.51.100.9/32", interface: 1 }] };
  await expectDifference(sandbox, {
    prevResult: wrong,
    says: /prevResult has 198\.51\.100\.9, which was not allocated/,
  });
  await until("CHECK names the link that is missing", async () => {
    const [{ code, msg }] = await Promise.all([
      sandbox.call("CHECK", { config: { prevResult } }),
      keepUnlinked(node, sandbox),
    ]);
    return code === 110 && msg.includes(`host link ${sandbox.hostLink} is missing`);
  });
  await until("the link is back", async () => (await sandbox.call("CHECK", { config: { prevResult } })).exit === 0);
  await until("CHECK names the grant that is missing", async () => {
    const [{ code, msg }] = await Promise.all([
      sandbox.call("CHECK", { config: { prevResult } }),
      keepUngranted(node, sandbox),
    ]);
    return code === 110 && msg.includes(`lacks "${sandbox.hostLink}" . ${sandbox.address(4)}`);
  });
  await until("CHECK names the rules that are missing", async () => {
    const [{ code, msg }] = await Promise.all([
      sandbox.call("CHECK", { config: { prevResult } }),
      node.exec(["sh", "-c", "for time in $(seq 30); do nft flush chain inet flock from_pod; done"]),
    ]);
    return code === 110 && /rule \d+ of chain inet from_pod is missing/.test(msg);
  });
  const [host, eth0] = records(prevResult["interfaces"]);
  for (const [other, says] of OTHER_ENDS) {
    await expectDifference(sandbox, { prevResult: { ...prevResult, interfaces: [host, { ...eth0, ...other }] }, says });
  }
  await sandbox.remove();
  await expectDifference(sandbox, { prevResult, says: /no allocation is recorded for it/ });
}

/** Takes the link away again and again for the time of a CHECK, because the agent makes it anew. */
async function keepUnlinked(node: LabNode, { hostLink }: Sandbox): Promise<void> {
  await node.exec(["sh", "-c", 'for time in $(seq 30); do ip link del "$0"; sleep 0.01; done', hostLink]);
}

/** Takes the grant away again and again for the time of a CHECK, because the agent puts it back. */
async function keepUngranted(node: LabNode, sandbox: Sandbox): Promise<void> {
  const element = `{ "${sandbox.hostLink}" . ${sandbox.address(4)} }`;
  const script = 'for time in $(seq 30); do nft delete element inet flock own4 "$0"; done';
  await node.exec(["sh", "-c", script, element]);
}

async function expectDifference(
  sandbox: Sandbox,
  { prevResult, says }: { prevResult: Record<string, unknown>; says: RegExp },
): Promise<void> {
  const { code, msg } = await sandbox.call("CHECK", { config: { prevResult } });
  assertEquals(code, 110, `${says}; ${msg}`);
  assertMatch(msg, says);
}
