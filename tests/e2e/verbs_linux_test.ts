/** The verbs as a runtime calls them, on a real kernel: what they answer, and what they leave. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { records } from "../lab/json.ts";
import { allocationsOf, expectPing, kernelOf, startCluster } from "./_cluster.ts";
import { addSandbox, callPlugin, createSandbox } from "./_sandbox.ts";

const NOTHING = { links: [], routes: [], grants: [] };
const CHECKS = 10;

Deno.test("ADD, CHECK and DEL on a real kernel", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  await t.step("a result names both ends, both addresses and both default routes (T-CNI-11)", async () => {
    const sandbox = await createSandbox(node);
    const { document } = await sandbox.call("ADD");
    const [host, eth0] = records(document["interfaces"]);
    assertEquals([host?.["name"], host?.["sandbox"]], [sandbox.hostLink, undefined]);
    assertEquals([eth0?.["name"], eth0?.["sandbox"]], ["eth0", `/run/netns/${sandbox.id}`]);
    assertMatch(String(eth0?.["mac"]), /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    assertEquals(records(document["ips"]).map((ip) => ip["interface"]), [1, 1]);
    assertEquals(records(document["routes"]).map(({ dst }) => dst).sort(), ["0.0.0.0/0", "::/0"]);
    await sandbox.remove();
  });
  await t.step("ADD again gives the same answer (T-CNI-13)", async () => {
    const sandbox = await addSandbox(node);
    const first = sandbox.addresses;
    await sandbox.add();
    assertEquals([sandbox.addresses, (await allocationsOf(node)).length], [first, 1]);
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
  await t.step("the node's own namespace and one that is not there are refused (T-CNI-14, T-CNI-15)", async () => {
    const sandbox = await createSandbox(node);
    const before = await node.output(["ip", "-br", "address"]);
    await node.output(["sh", "-c", "touch /run/netns/host && mount --bind /proc/self/ns/net /run/netns/host"]);
    const own = await sandbox.call("ADD", { env: { CNI_NETNS: "/run/netns/host" } });
    const missing = await sandbox.call("ADD", { env: { CNI_NETNS: "/run/netns/none" } });
    assertEquals([own.code, missing.code], [8, 3], `${own.msg}; ${missing.msg}`);
    assertEquals(await node.output(["ip", "-br", "address"]), before);
    assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []]);
    for (const { msg } of [own, missing]) assert(!/not found|no such file or directory/i.test(msg), msg); // T-CNI-28
  });
  await t.step("CHECK agrees, again and again (T-CNI-19), and names what is gone (T-CNI-20)", async () => {
    const sandbox = await createSandbox(node);
    const { document: prevResult } = await sandbox.call("ADD");
    const check = async (): Promise<unknown[]> => {
      const { code = 0, msg } = await sandbox.call("CHECK", { config: { prevResult } });
      return [code, msg.replace(/^.*?: /, "")];
    };
    for (let time = 0; time < CHECKS; time++) assertEquals(await check(), [0, ""]);
    const address = sandbox.address(4);
    await sandbox.output(["ip", "address", "delete", `${address}/32`, "dev", "eth0"]);
    const [code, msg] = await check();
    assertEquals(code, 110);
    assert(String(msg).includes(`address ${address} on eth0 is missing`), String(msg));
    assertEquals((await sandbox.output(["ip", "-4", "address", "show", "dev", "eth0"])).includes(address), false);
    await sandbox.remove();
  });
  await t.step("DEL succeeds whatever is missing, three at once too (T-CNI-16)", async () => {
    const [twice, gone] = await Promise.all([addSandbox(node), addSandbox(node)]);
    await node.output(["ip", "netns", "delete", gone.id]);
    const answers = await Promise.all([
      ...[1, 2, 3].map(() => twice.call("DEL")),
      gone.call("DEL"),
      gone.call("DEL", { env: { CNI_NETNS: "" } }),
      (await createSandbox(node)).call("DEL"),
    ]);
    assertEquals(answers.map(({ exit, stdout }) => [exit, stdout]), Array(6).fill([0, ""]));
    assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []]);
  });
  await t.step("a plugin that is killed at any moment of its ADD leaks nothing (T-CNI-26)", async () => {
    for (let afterMs = 10; afterMs <= 90; afterMs += 10) {
      const sandbox = await createSandbox(node);
      await sandbox.call("ADD", { killAfterMs: afterMs });
      await sandbox.remove();
    }
    const next = await addSandbox(node);
    await expectPing(lab.client, next.address(6));
    await next.remove();
    assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []]);
  });
  await t.step(
    "versions are answered as they were asked (T-CNI-10), and STATUS is none of the old ones (T-CNI-25)",
    async () => {
      for (const cniVersion of ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]) {
        const sandbox = await createSandbox(node);
        const { document } = await sandbox.call("ADD", { config: { cniVersion } });
        assertEquals(document["cniVersion"], cniVersion);
        assertEquals(
          records(document["ips"]).every(({ version }) => (version !== undefined) === (cniVersion < "1")),
          true,
        );
        await sandbox.remove();
      }
      assertEquals((await callPlugin(node, "STATUS", { config: { cniVersion: "1.0.0" } })).code, 1);
    },
  );
});
