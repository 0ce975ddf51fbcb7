/** `flock uninstall`: a node is as it was before flock, and as others left it meanwhile. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CNI_CONFIG_DIR, CONFIG_DIR, CONFLIST, RUN_DIR, STATE_DIR, SYSCTL_DIR } from "../../src/paths/paths.ts";
import type { CommandResult } from "../../src/exec/command_runner.ts";
import { callsIn, TRACE_FILES, underTmp } from "../lab/file_trace.ts";
import { createLab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { exists, until } from "../lab/until.ts";
import { configOf, prefixesOf } from "./_cluster.ts";
import { addSandbox } from "./_sandbox.ts";
import { alone, runServicePod } from "./_service_pod.ts";

const FLOCK = new URL("../../dist/flock", import.meta.url).pathname;
/** The executable's own files lie where the checkout does. */
const DIST = new URL("../../dist/", import.meta.url).pathname;
const DIRECTORIES = [RUN_DIR, CONFIG_DIR, STATE_DIR];
const ANYCAST = ["198.18.0.1", "2001:db8:a::1"];

/** What looks like flock's and is not; some of it in the very places. */
const OTHERS = `
  ip link add flock1234 type veth peer name other0
  for link in flock1234 other0; do ip link set $link addrgenmode none; ip link set $link up; done
  ip route add 192.0.2.128/25 dev flock1234 proto 71; ip -6 route add blackhole 2001:db8:dead::/48 proto 71
  ip nexthop add id 7 blackhole; ip address add 169.254.1.2/32 dev lo
  nft add table inet flocks; nft add table ip flock
  echo '{}' >${CNI_CONFIG_DIR}/10-other.conflist; echo >/opt/cni/bin/bridge`;

async function uninstall(node: LabNode, ...flags: string[]): Promise<CommandResult> {
  return await node.exec([FLOCK, "uninstall", ...flags], { timeoutMs: 60_000 });
}

/**
 * @returns the kernel's objects but what sysctls bring, and what lies where runtimes look for plugins and their
 * configuration
 */
async function look(node: LabNode): Promise<string> {
  const commands = [
    "ip -o link",
    "ip -o address",
    "ip -4 route show table all",
    "ip -6 route show table all",
    "ip nexthop",
  ];
  const lists = [...commands, "nft -s list ruleset", `ls -A ${CNI_CONFIG_DIR} /opt/cni/bin`].join("; ");
  const text = await node.output(["sh", "-ec", lists]);
  return text.replaceAll(/^anycast .* proto kernel .*\n/gm, "");
}

Deno.test("uninstall refuses while flock is in use, and then leaves a node as it was before flock", async (t) => {
  await using lab = await createLab({ nodes: 1, api: "embedded" });
  const node = lab.node("node-a");
  await node.output(["sh", "-ec", OTHERS]);
  const before = await look(node);
  await lab.api.apply(configOf(node));
  const [bird] = await Promise.all([node.startBird(), node.startAgent()]);
  await Promise.all(prefixesOf(node).map((prefix) => lab.router.waitForRoute(prefix)));
  await until("the conflist is there", () => exists(node.outside(CONFLIST)));
  await runServicePod(lab, node, { name: "service", anycast: ANYCAST, ready: true });
  await addSandbox(node);
  await Promise.all(ANYCAST.map((address) => lab.router.waitForRoute(alone(address))));
  await node.output(["nft", "add", "table", "inet", "flock-policy"]);
  const learned = (): Promise<string> =>
    node.output(["sh", "-ec", "ip route show proto bird; ip -6 route show proto bird"]);
  await until("BIRD has learned routes of both families", async () => /\n2001:.*/.test(await learned()));
  let serving = "";

  const refuses = async (reason: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await uninstall(node);
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, reason);
  };
  await t.step(
    "it refuses while the agent runs, while BIRD does, and while there are pods, and touches nothing",
    async () => {
      await refuses(/^Cannot uninstall: flock's agent still runs/);
      await node.stopAgent();
      await refuses(/^Cannot uninstall: flock's BIRD still runs/);
      await bird.stop("SIGKILL");
      serving = await look(node);
      await refuses(/^Cannot uninstall: pods are there: flock[0-9a-f]{8} of container [0-9a-f]{32}, flock/);
      assertEquals(await look(node), serving);
    },
  );
  await t.step(
    "it refuses while something is mounted in its directories, by name, before it touches anything",
    async () => {
      const { code, stderr } = await uninstall(node, "--force");
      assertEquals(code, 1);
      assertStringIncludes(stderr, `something is mounted on ${SYSCTL_DIR}: umount it first`);
      assertEquals(await look(node), serving);
      await node.output(["umount", SYSCTL_DIR]);
    },
  );
  await t.step(
    "by force it leaves nothing of flock's, under /tmp neither, and BIRD's routes to whom it is told to",
    async () => {
      const routes = await learned();
      assert(routes !== "", "BIRD left no route: the test proves nothing");
      const words = [FLOCK, "uninstall", "--force", "--keep-bgp-routes"];
      const { code, stderr } = await node.exec([...TRACE_FILES, "/run/trace", ...words], { timeoutMs: 60_000 });
      assertEquals([code, stderr], [0, ""]);
      const calls = callsIn(await node.read("/run/trace"));
      assert(calls.some((call) => call.includes(CONFLIST)), "the trace is not of an uninstall");
      assertEquals(underTmp(calls, DIST), []);
      assertEquals(await learned(), routes);
      assertEquals((await uninstall(node)).code, 0);
      assertEquals(await look(node), before);
      const left = await node.output(["find", ...DIRECTORIES, "-mindepth", "1"]);
      assertEquals(left, "");
    },
  );
  await t.step("where its directories are no mounts, they go too", async () => {
    await node.output(["umount", ...DIRECTORIES]);
    await node.output(["mkdir", "-p", ...DIRECTORIES.map((directory) => `${directory}/inner`)]);
    assertEquals((await uninstall(node)).code, 0);
    const there = await Promise.all(DIRECTORIES.map((directory) => exists(node.outside(directory))));
    assertEquals(there, [false, false, false]);
  });
});
