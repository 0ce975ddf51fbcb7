/** Who may read and write what flock leaves on a node, and what becomes of links that somebody planted there. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  AGENT_SOCKET,
  BIRD_CONFIG,
  BOOT_ID_FILE,
  CONFLIST,
  LAST_NODE_CONFIG,
  LAST_PREFIXES,
  RUN_DIR,
  SESSION_MARKER,
  STATE_DIR,
  STATE_FILE,
  TOMBSTONE_DIR,
} from "../../src/paths/paths.ts";
import { createLab } from "../lab/lab.ts";
import { KUBECONFIG, type LabNode } from "../lab/node.ts";
import { exists, until } from "../lab/until.ts";
import { configOf, prefixesOf, untilLogged } from "./_cluster.ts";
import { addSandbox, callPlugin, PLUGIN } from "./_sandbox.ts";

const LOCK = `${RUN_DIR}/agent.lock`;
const STAGED = BIRD_CONFIG.replace("bird.conf", ".bird.conf.new");
const TARGET = "/run/precious";
const ELSEWHERE = "/run/elsewhere";

/** Mode, owner and type of everything of flock's, after a start, a pod, a DEL without an agent and a session. */
const EXPECTED = {
  [RUN_DIR]: "700 root:root directory",
  [AGENT_SOCKET]: "600 root:root socket",
  [LOCK]: "600 root:root regular empty file",
  [BOOT_ID_FILE]: "600 root:root regular file",
  [SESSION_MARKER]: "600 root:root regular empty file",
  [TOMBSTONE_DIR]: "700 root:root directory",
  [STATE_DIR]: "700 root:root directory",
  [STATE_FILE]: "600 root:root regular file",
  [LAST_NODE_CONFIG]: "600 root:root regular file",
  [LAST_PREFIXES]: "600 root:root regular file",
  [CONFLIST]: "600 root:root regular file",
  [BIRD_CONFIG]: "640 root:root regular file",
};

Deno.test("what flock leaves on a node is root's alone, and it follows no link that somebody planted (T-SEC-30)", async (t) => {
  await using lab = await createLab({ nodes: 1, api: "embedded" });
  const node = lab.node("node-a");
  await lab.api.apply(configOf(node));
  await node.startBird();

  await t.step(
    "modes and owners hold under a umask of 000, in directories that were open to all",
    async () => {
      await node.output(["chmod", "1777", RUN_DIR, STATE_DIR]);
      const agent = await startOpenly(node);
      await Promise.all(prefixesOf(node).map((prefix) => lab.router.waitForRoute(prefix)));
      await until("the session was noted", () => exists(node.outside(SESSION_MARKER)));
      const pod = await addSandbox(node);
      assertEquals(await modesOf(node), EXPECTED);
      await agent.stop("SIGKILL");
      await node.output(["rmdir", TOMBSTONE_DIR]);
      const env = { CNI_COMMAND: "DEL", CNI_CONTAINERID: pod.id, CNI_IFNAME: "eth0", CNI_PATH: "/opt/cni/bin" };
      const stdin = JSON.stringify({ cniVersion: "1.1.0", name: "flock", type: "flock" });
      await node.output(["sh", "-c", `umask 000; exec ${PLUGIN}`], { env, stdin });
      const left = await node.output(["sh", "-c", `stat -c '%a %U:%G %F' ${TOMBSTONE_DIR} ${TOMBSTONE_DIR}/*`]);
      assertEquals(left.trim().split("\n"), ["700 root:root directory", "600 root:root regular file"]);
      assertEquals(Object.keys(await modesOf(node)).sort(), Object.keys(EXPECTED).sort());
      assertEquals(await strayFiles(node), []);
    },
  );

  await t.step(
    "a link in the place of a file that flock replaces is replaced; its target stays as it was",
    async () => {
      await node.write(TARGET, "precious");
      const planted = [BOOT_ID_FILE, SESSION_MARKER, LAST_NODE_CONFIG, LAST_PREFIXES, CONFLIST, BIRD_CONFIG, STAGED];
      const lines = planted.map((path) => `rm -f ${path}; ln -s ${TARGET} ${path}`);
      await node.output(["sh", "-ec", `${lines.join("\n")}; stat -c %y ${TARGET} >/run/time`]);
      await lab.api.apply(configOf(node, { mtu: 1400 }));
      await node.startAgent();
      const isFile = async (path: string): Promise<boolean> => (await Deno.lstat(node.outside(path))).isFile;
      for (const path of planted.filter((path) => path !== STAGED)) {
        await until(`${path} is a file`, () => isFile(path));
      }
      assertEquals(await exists(node.outside(STAGED)), false);
      assertEquals(await node.read(TARGET), "precious");
      assertEquals(await node.output(["stat", "-c", "%y", TARGET]), await node.read("/run/time"));
      assertStringIncludes(await node.read(BIRD_CONFIG), node.spec.cidr4);
      await node.stopAgent();
    },
  );

  await t.step(
    "a link in the place of a directory, lock, socket or state, or another's directory, is refused",
    async () => {
      await node.output(["mkdir", ELSEWHERE]);
      const plant = (path: string, target: string): [string, string] => [
        `mv ${path} ${path}.away 2>/dev/null || true; ln -s ${target} ${path}`,
        `rm ${path}; mv ${path}.away ${path} 2>/dev/null || true`,
      ];
      const refusals: [path: string, plant: string, undo: string, says: string][] = [
        [TOMBSTONE_DIR, ...plant(TOMBSTONE_DIR, ELSEWHERE), "it is a link"],
        [LOCK, ...plant(LOCK, TARGET), "is a link"],
        [STATE_FILE, ...plant(STATE_FILE, TARGET), "it is a symlink"],
        [AGENT_SOCKET, ...plant(AGENT_SOCKET, TARGET), "it is not a socket"],
        [STATE_DIR, `chown 1000 ${STATE_DIR}`, `chown 0 ${STATE_DIR}`, "it belongs to user 1000"],
        [
          STATE_DIR,
          `umount ${STATE_DIR}; rmdir ${STATE_DIR}; ln -s ${ELSEWHERE} ${STATE_DIR}`,
          `rm ${STATE_DIR}`,
          "it is a link",
        ],
      ];
      for (const [path, vandalism, undo, says] of refusals) {
        await node.output(["sh", "-c", vandalism]);
        await expectRefusal(node, [path, says]);
        await node.output(["sh", "-c", undo]);
      }
      await node.output([
        "sh",
        "-c",
        `umount -l ${RUN_DIR}; rmdir ${RUN_DIR}; ln -s ${ELSEWHERE} ${RUN_DIR}`,
      ]);
      await expectRefusal(node, [RUN_DIR, "it is a link"]);
      assertEquals([await node.output(["ls", "-A", ELSEWHERE]), await node.read(TARGET)], ["", "precious"]);
    },
  );

  await t.step("a DEL without an agent leaves no tombstone behind a link", async () => {
    await node.output(["sh", "-c", `rm ${RUN_DIR}; mkdir -m 700 ${RUN_DIR}; ln -s ${ELSEWHERE} ${TOMBSTONE_DIR}`]);
    const { exit, code } = await callPlugin(node, "DEL", { env: { CNI_CONTAINERID: "c0ffee", CNI_IFNAME: "eth0" } });
    assertEquals([exit, typeof code, await node.output(["ls", "-A", ELSEWHERE])], [1, "number", ""]);
  });
});

/** The agent, started by somebody who hides nothing. */
async function startOpenly(node: LabNode): ReturnType<LabNode["spawn"]> {
  await node.startAgent();
  await node.stopAgent("SIGKILL");
  await node.output([
    "sh",
    "-c",
    `rm -rf ${RUN_DIR}/agent.* ${BOOT_ID_FILE} ${TOMBSTONE_DIR} ${STATE_DIR}/* ${CONFLIST}`,
  ]);
  await node.output(["chmod", "1777", RUN_DIR, STATE_DIR]);
  const argv = [PLUGIN, "agent", "--kubeconfig", KUBECONFIG, "--node", node.name];
  const agent = await node.spawn("agent", ["sh", "-c", 'umask 000; exec "$@"', "sh", ...argv]);
  await until("the agent listens", () => exists(node.outside(AGENT_SOCKET)));
  return agent;
}

/** @returns path -> mode, owner and type, of what flock names; other things are not looked for */
async function modesOf(node: LabNode): Promise<Record<string, string>> {
  const { stdout } = await node.exec(["stat", "-c", "%n %a %U:%G %F", ...Object.keys(EXPECTED)]);
  const lines = stdout.trim().split("\n").map((line) => /^(\S+) (.*)$/.exec(line)?.slice(1) ?? []);
  return Object.fromEntries(lines);
}

/** @returns what anybody but root may read or write of all that lies in flock's directories */
async function strayFiles(node: LabNode): Promise<string[]> {
  const places = `${RUN_DIR} ${STATE_DIR} ${BIRD_CONFIG} ${CONFLIST}`;
  const birds = "! -name 'bird.*'";
  const found = await node.output([
    "sh",
    "-c",
    `find ${places} -xdev ! -type l ! -path ${RUN_DIR}/sys \\( -perm /037 -o ! -user root \\) ${birds}`,
  ]);
  return found.trim().split("\n").filter((line) => line !== "");
}

/** The agent ends before it serves anything, and says why in one line. */
async function expectRefusal(node: LabNode, words: readonly string[]): Promise<void> {
  const before = (await node.readLog("agent")).length;
  const { ended } = await node.startAgent({ wait: false });
  assertEquals((await ended).code, 1, words.join(" "));
  const line = await untilLogged(node, words, { after: before });
  assertMatch(line, /^Cannot /);
}
