/** Hostile text in every field that reaches the agent, over its socket and through the API, and what its tools get to hear of it. */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { AGENT_SOCKET, BIRD_CONFIG, LAST_NODE_CONFIG, STATE_FILE, TOMBSTONE_DIR } from "../../src/paths/paths.ts";
import { ODD_ADDRESSES, ODD_LENGTHS, SPECIAL_ADDRESSES } from "../../src/ip/testdata/odd_forms.ts";
import { record } from "../lab/json.ts";
import { ApiRefused, type KubeObject } from "../lab/lab_api.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import {
  allocationsOf,
  configOf,
  configPath,
  createPod,
  kernelOf,
  startCluster,
  untilCondition,
  untilEvent,
} from "./_cluster.ts";
import { askAgent, HOSTILE_TEXTS, MARK, readRecord, recordTools } from "./_hostile.ts";
import { addSandbox, callPlugin, createSandbox, type Sandbox } from "./_sandbox.ts";

const CONFIG = { cniVersion: "1.1.0", name: "flock", type: "flock" };
const ENVIRONMENT = { CNI_CONTAINERID: "c0ffee", CNI_NETNS: "/run/netns/nowhere", CNI_IFNAME: "eth0", CNI_PATH: "/x" };
/** What the agent may answer: bad input, a network namespace that is not there, a pod that nobody knows, a CHECK that differs. */
const REFUSALS = [1, 3, 4, 6, 7, 11, 101, 110];
const NOTHING = { links: [], routes: [], grants: [] };
interface Request {
  readonly verb?: unknown;
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly config?: unknown;
}

function requestLine({ verb = "ADD", environment = {}, config = {} }: Request): string {
  const whole = typeof config === "object" && config !== null ? { ...CONFIG, ...config } : config;
  const request = { verb, startedAt: Date.now(), environment: { ...ENVIRONMENT, ...environment }, config: whole };
  return `${JSON.stringify(request)}\n`;
}

async function codeOf(node: LabNode, request: Request): Promise<unknown> {
  const answer = await askAgent(node, requestLine(request));
  assertMatch(answer, /^[\x20-\x7e]{1,5000}\n$/, JSON.stringify(request).slice(0, 200));
  return record(JSON.parse(answer))["code"];
}

/** Every place of a request that takes text -> requests with the text there. */
function requestsWith(text: string): Request[] {
  const environments = [
    ...["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"].map((name) => ({ [name]: text })),
    { CNI_NETNS: `/run/netns/${text}` },
    ...["K8S_POD_NAMESPACE", "K8S_POD_NAME", "K8S_POD_UID"].map((key) => {
      const pod = { K8S_POD_NAMESPACE: "default", K8S_POD_NAME: "web", K8S_POD_UID: "u", [key]: text };
      return { CNI_ARGS: Object.entries(pod).map(([name, value]) => `${name}=${value}`).join(";") };
    }),
    { CNI_ARGS: `K8S_POD_INFRA_CONTAINER_ID=${text}` },
    { CNI_ARGS: `${text}=1` },
  ];
  const annotations = ["ipv4", "ipv6", "cidr4", "cidr6", text].map((key) => ({ [`flock.fritzlab.net/${key}`]: text }));
  const configs = [
    ...["cniVersion", "name"].map((key) => ({ [key]: text })),
    ...annotations.map((each) => ({ runtimeConfig: { "io.kubernetes.cri.pod-annotations": each } })),
    { prevResult: text },
    { prevResult: { ips: [{ address: text, interface: text }] } },
    text,
  ];
  return [
    { verb: text },
    ...environments.map((environment) => ({ environment })),
    ...environments.slice(0, 1).map((environment) => ({ verb: "DEL", environment })),
    ...configs.map((config) => ({ config })),
    { verb: "CHECK", config: { prevResult: { ips: [{ address: text }], routes: [{ dst: text }] } } },
    { verb: "GC", config: { "cni.dev/valid-attachments": [{ containerID: "a", ifname: text }] } },
    { verb: "GC", config: { "cni.dev/valid-attachments": text } },
  ];
}

Deno.test("hostile input ends at the agent's border", async (t) => {
  await using lab = await startCluster({ nodes: 1, api: "embedded", containerd: false });
  const node = lab.node("node-a");
  await recordTools(node);
  await node.stopAgent();
  await node.startAgent();
  const before = await node.output(["ip", "-br", "address"]);

  await t.step("every field refuses every hostile text, in printable words", async () => {
    for (const text of HOSTILE_TEXTS) {
      const requests = requestsWith(text);
      const codes = await Promise.all(requests.map((request) => codeOf(node, request)));
      const wrong = codes.flatMap((code, i) => REFUSALS.includes(Number(code)) ? [] : [[code, requests[i]]]);
      assertEquals(wrong.slice(0, 3), [], text.slice(0, 40));
    }
  });
  await t.step("annotations and NodeConfigs from the API likewise", () => expectNoHostileObject(lab, node));
  await t.step(
    "a pod that is added now is the first that the tools hear of; no hostile text was among their words (T-SEC-01)",
    async () => {
      const pod = await addSandbox(node);
      await expectHarmless(node, pod);
      await pod.remove();
      assertEquals([await kernelOf(node), await allocationsOf(node)], [NOTHING, []]);
      assertEquals(await node.output(["ip", "-br", "address"]), before);
    },
  );
  await t.step("odd addresses are refused wherever a request takes one (T-SEC-02)", () => expectNoOddAddress(node));
  await t.step("what is no request is refused or cut off, and holds nobody up", () => expectNoOddRequest(node));
  await t.step("hostile names lead to no file and no link (T-SEC-03)", () => expectNoTraversal(node));
});

/** Whatever the schema lets pass; the embedded API server evaluates none of its CEL rules. */
async function expectNoHostileObject(lab: Lab, node: LabNode): Promise<void> {
  const short = HOSTILE_TEXTS.filter((text) => text.length < 30 && text === text.toWellFormed());
  for (const [index, key] of ["ipv4", "cidr4", "cidr6"].entries()) {
    const annotations = { [`flock.fritzlab.net/${key}`]: short.slice(index * 20, index * 20 + 20).join() };
    const uid = await createPod(lab, { name: `hostile-${index}`, annotations, nodeName: node.name });
    const args = `K8S_POD_NAMESPACE=default;K8S_POD_NAME=hostile-${index};K8S_POD_UID=${uid}`;
    assertEquals(await codeOf(node, { environment: { CNI_ARGS: args } }), 101);
    assertMatch(await untilEvent(lab, `hostile-${index}`, { reason: "InvalidAnnotation" }), /^[\x20-\x7e]{1,1024}$/);
  }
  const good = record(configOf(node)["spec"]);
  const peers = (texts: readonly string[]): KubeObject[] => texts.map((address) => ({ address, asn: 65000 }));
  const hostile: KubeObject[] = [
    { ...good, cidr4: short.slice(0, 8), cidr6: short.slice(8, 16) },
    { ...good, bgp: { asn: 65101, routerId: short[20], peers: peers(short.slice(30, 46)) } },
    { ...good, bgp: { asn: 65101, peers: peers(short.slice(46, 62)) }, mtu: MARK },
    { ...good, cidr4: HOSTILE_TEXTS.slice(-1) },
  ];
  for (const spec of hostile) {
    const generation = await patchSpec(lab, node, spec);
    if (generation === undefined) continue; // by the schema
    const message = await untilCondition(lab, node, { reason: "Invalid", generation });
    assertMatch(message, /^[\x20-\x7e]{1,2000}stays in force$/);
  }
  await lab.api.patch(configPath(node), {
    metadata: { annotations: { "flock.fritzlab.net/ip-algo": short.slice(0, 60).join() } },
    spec: { ...good, mtu: 1400, bgp: { ...record(good["bgp"]), routerId: null } },
  });
  await untilCondition(lab, node, { reason: "Accepted", generation: await generationOf(lab, node) });
}

/** @returns the new generation; undefined when the schema refused it */
async function patchSpec(lab: Lab, node: LabNode, spec: KubeObject): Promise<number | undefined> {
  try {
    await lab.api.patch(configPath(node), { spec });
    return await generationOf(lab, node);
  } catch (error) {
    if (error instanceof ApiRefused) return undefined;
    throw error;
  }
}

async function generationOf(lab: Lab, node: LabNode): Promise<number> {
  return Number(record((await lab.api.get(configPath(node)))?.["metadata"])["generation"]);
}

/**
 * By what tools and files hold: their whole alphabet, none of the hostile texts, which begin with a dash and which do not, and the pod
 * just added, so that the record is one.
 */
async function expectHarmless(node: LabNode, pod: Sandbox): Promise<void> {
  const { words, lines } = await readRecord(node);
  assert(words.some((word) => word.endsWith(pod.id)) && lines.some((line) => line.includes(`${pod.id} eth0`)));
  const [bird, state, nodeConfig, log] = await Promise.all([
    node.read(BIRD_CONFIG),
    node.read(STATE_FILE),
    node.read(LAST_NODE_CONFIG),
    node.readLog("agent"),
  ]);
  assertEquals(words.filter((word) => !/^[\w./:-]*$/.test(word)), []);
  assertEquals(lines.filter((line) => !/^[\w\t ./:"@{}<>=,;*!-]*$/.test(line)), []);
  assertEquals(bird.split("\n").filter((line) => !/^[\w\t .\/:"{}\[\]()#=~!&|+*,;'<>%-]*$/.test(line)), []);
  assertStringIncludes(bird, node.spec.cidr4);
  for (
    const text of [
      words.join(" "),
      lines.join(" "),
      bird,
      state,
      JSON.stringify(record(JSON.parse(nodeConfig))["spec"]),
    ]
  ) {
    assert(!text.includes(MARK), text.slice(Math.max(0, text.indexOf(MARK) - 100), text.indexOf(MARK) + 100));
  }
  for (const line of log.trim().split("\n")) {
    assertMatch(line, /^[\x20-\x7e]{1,5000}$/);
    JSON.parse(line);
  }
}

async function expectNoOddAddress(node: LabNode): Promise<void> {
  const unspaced = ODD_ADDRESSES.filter((text) => text === text.trim());
  const prefixes = [
    ...[...unspaced, ...SPECIAL_ADDRESSES].flatMap((text) => [`${text}/32`, `${text}/128`]),
    ...ODD_LENGTHS.map((length) => `203.0.113.0${length}`),
  ];
  const annotated = prefixes.flatMap((text) =>
    ["cidr4", "cidr6"].map((key): Request => {
      const annotations = { [`flock.fritzlab.net/${key}`]: text };
      return { config: { runtimeConfig: { "io.kubernetes.cri.pod-annotations": annotations } } };
    })
  );
  const codes = await Promise.all(annotated.map((request) => codeOf(node, request)));
  // 6: with a text of 1 MiB the request itself is too long.
  const passed = annotated.filter((_, i) => codes[i] !== 101 && codes[i] !== 6);
  assertEquals(passed.map(({ config }) => JSON.stringify(config)), []);
  const sandbox = await createSandbox(node);
  const { document: prevResult } = await sandbox.call("ADD");
  const odd = ODD_ADDRESSES.filter((text) => text.length < 100).map((text) => `${text}/32`);
  for (let from = 0; from < odd.length; from += 15) {
    const ips = [`${sandbox.address(6)}/128`, ...odd.slice(from, from + 15)].map((address) => ({ address }));
    const config = { prevResult: { ...prevResult, ips } };
    const environment = { CNI_CONTAINERID: sandbox.id, CNI_NETNS: `/run/netns/${sandbox.id}` };
    const { code, msg } = record(JSON.parse(await askAgent(node, requestLine({ verb: "CHECK", environment, config }))));
    assertEquals([code, String(msg).split("which was not allocated").length], [110, ips.length], String(msg));
  }
  await sandbox.remove();
}

async function expectNoOddRequest(node: LabNode): Promise<void> {
  const status = requestLine({ verb: "STATUS" });
  const refused: (string | Uint8Array)[] = [
    ...[
      "\n",
      "null\n",
      "[]\n",
      "7\n",
      '"ADD"\n',
      "{}\n",
      "{\n",
      `${status.trim()}}\n`,
      "\0\n",
      `${"[".repeat(2_000_000)}\n`,
    ],
    new Uint8Array([0xff, 0xfe, 0x7b, 0x7d, 0x0a]),
    `{"__proto__":{"verb":"STATUS"},"constructor":{"prototype":{"verb":"STATUS"}}}\n`,
    `${'{"verb":"ADD","config":'.repeat(1)}${'{"a":'.repeat(40)}1${"}".repeat(40)}}\n`,
    requestLine({ config: { padding: "x".repeat(1 << 20) } }),
    ...["VERSION", "add", "EXEC", "__proto__", "constructor", "toString", 7, null, ["ADD"]].map((verb) =>
      requestLine({ verb })
    ),
  ];
  for (const line of refused) {
    const answer = await askAgent(node, line);
    const code = answer === "" ? undefined : record(JSON.parse(answer))["code"];
    assert([1, 4, 6, 7].includes(Number(code)), `${String(line).slice(0, 60)}: ${answer}`);
  }
  assertEquals(await askAgent(node, `${"x".repeat(6 << 20)}\n`), ""); // longer than any request: cut off
  assertEquals(await askAgent(node, `${status}${status}`), '{"ok":true}\n'); // one for each connection

  // More than are served at once say nothing, or a byte now and then: who was silent longest makes room.
  const silent = await Promise.all(Array.from({ length: 600 }, () => connect(node)));
  const dripping = silent.slice(0, 5);
  const drip = setInterval(
    () => dripping.forEach((each) => void each.write(new Uint8Array([0x20])).catch(() => {})),
    500,
  );
  const started = performance.now();
  const { exit } = await callPlugin(node, "STATUS");
  clearInterval(drip);
  assertEquals(exit, 0);
  assertLess(performance.now() - started, 4_000);
  for (const each of silent) each.close();
}

function connect(node: LabNode): Promise<Deno.UnixConn> {
  return Deno.connect({ transport: "unix", path: node.outside(AGENT_SOCKET) });
}

const PATHS = [
  "..",
  "../sentinel",
  "../../lib/sentinel",
  "a/../../sentinel",
  "/var/lib/sentinel",
  "./sentinel",
  "..%2fsentinel",
];
const NAMES = ["sentinel", "sentinel.json", "up0", "lo", "allocations.json", "agent.sock"];

async function expectNoTraversal(node: LabNode): Promise<void> {
  const places = [
    "/var/lib",
    "/var/lib/flock",
    "/run",
    "/run/flock",
    "/run/flock/deleted",
    "/etc/cni/net.d",
    "/etc/flock/bird",
  ];
  const sentinels = places.map((place) => `${place}/sentinel`);
  await node.output(["sh", "-c", `for f in ${sentinels.join(" ")}; do mkdir -p "\${f%/*}"; echo precious >"$f"; done`]);
  const view = async (): Promise<string> => {
    const files = await node.output([
      "stat",
      "-c",
      "%n %i %a %U %s %Y",
      ...sentinels.filter((path) => !path.startsWith(`${TOMBSTONE_DIR}/`)),
    ]);
    return files + await node.output(["ip", "-br", "link"]) + await node.output(["ip", "-br", "address"]);
  };
  const before = await view();
  for (const id of [...PATHS, ...NAMES]) {
    for (const verb of ["ADD", "DEL", "CHECK", "GC"]) {
      const config = { prevResult: {}, "cni.dev/valid-attachments": [{ containerID: id, ifname: "eth0" }] };
      await codeOf(node, { verb, environment: { CNI_CONTAINERID: id }, config });
      await codeOf(node, { verb, environment: { CNI_IFNAME: id.slice(0, 15) }, config });
    }
  }
  assertEquals(await view(), before);
  await node.stopAgent();
  for (const id of ["../sentinel", "sentinel", "up0"]) {
    const env = { CNI_CONTAINERID: id, CNI_IFNAME: "eth0", CNI_NETNS: "" };
    const { exit } = await callPlugin(node, "DEL", { env });
    assertEquals(exit, PATHS.includes(id) ? 1 : 0);
  }
  const stones = (await node.output(["ls", TOMBSTONE_DIR])).trim().split("\n").filter((name) => name !== "sentinel");
  assertEquals(stones.map((name) => /^[0-9a-f]{16}\.json$/.test(name)), [true, true]);
  await node.startAgent();
  assertEquals(await view(), before);
}
