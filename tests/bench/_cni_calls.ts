/** Calls of CNI plugins, and of the agent, as a runtime makes them. All times in milliseconds. */
import { renderConflist } from "../../src/agent/conflist.ts";
import { AGENT_SOCKET } from "../../src/paths/paths.ts";
import type { Family } from "../../src/ip/address.ts";
import { record, records } from "../lab/json.ts";
import { runTimed } from "./_spawn.ts";
import type { BenchPod, Samples } from "./contenders.ts";

const CNI_PATH = "/opt/cni/bin:/usr/lib/cni";

let containers = 0;

function newContainerId(): string {
  return (++containers).toString(16).padStart(64, "b");
}

const NETWORK_CONFIG = JSON.stringify(pluginConfig(renderConflist({ portmap: false })));

/** What libcni makes of a conflist for its first plugin (SPEC 1.1.0, section 3). */
function pluginConfig(conflist: string): unknown {
  const { name, cniVersion, plugins } = record(JSON.parse(conflist));
  const { capabilities: _, ...plugin } = records(plugins)[0] ?? {};
  const runtimeConfig = { "io.kubernetes.cri.pod-annotations": {} };
  return { ...plugin, name, cniVersion, runtimeConfig };
}

/** Whom a call is for. */
export interface Sandbox {
  /** Name of its namespace below /run/netns. */
  readonly netns: string;
  /** Absent: none is named. */
  readonly pod?: BenchPod;
}

export type Call = Sandbox & { readonly container: string };

/** @returns a call for a new container */
export function callOf(sandbox: Sandbox): Call {
  return { ...sandbox, container: newContainerId() };
}

/** The environment as containerd sets it. */
function environmentOf(command: string, { container, netns, pod }: Call): Record<string, string> {
  const named = pod === undefined ? [] : [
    `K8S_POD_NAMESPACE=${pod.namespace}`,
    `K8S_POD_NAME=${pod.name}`,
    `K8S_POD_INFRA_CONTAINER_ID=${container}`,
    `K8S_POD_UID=${pod.uid}`,
  ];
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: container,
    CNI_NETNS: `/run/netns/${netns}`,
    CNI_IFNAME: "eth0",
    CNI_ARGS: ["IgnoreUnknown=1", ...named].join(";"),
    CNI_PATH,
  };
}

/** @returns how long VERSION took, as a whole process */
export async function callVersion(flock: string): Promise<number> {
  const stdin = JSON.stringify({ cniVersion: "1.0.0" });
  return (await runTimed([flock], { env: { CNI_COMMAND: "VERSION", CNI_PATH }, stdin })).ms;
}

/** ADD and then DEL, each a whole process. */
export async function callPlugin(flock: string, sandbox: Sandbox): Promise<Samples> {
  const call = callOf(sandbox);
  const { ms: add } = await runAdd(flock, call);
  return { add, del: await runDel(flock, call) };
}

/** ADD alone. @returns how long it took */
export async function keepPod(flock: string, sandbox: Sandbox): Promise<number> {
  return (await runAdd(flock, callOf(sandbox))).ms;
}

/** @returns how long it took, and what the pod was given. @throws when that is not both families */
export async function runAdd(flock: string, call: Call): Promise<{ ms: number; addresses: readonly string[] }> {
  const { ms, stdout } = await runTimed([flock], { env: environmentOf("ADD", call), stdin: NETWORK_CONFIG });
  const addresses = records(record(JSON.parse(stdout))["ips"]).map(({ address }) => String(address));
  if (addresses.length === 2) return { ms, addresses };
  throw new Error(`Cannot count an ADD: not dual-stack, ${stdout}`);
}

/** @returns how long it took */
export async function runDel(flock: string, call: Call): Promise<number> {
  return (await runTimed([flock], { env: environmentOf("DEL", call), stdin: NETWORK_CONFIG })).ms;
}

/** ADD and then DEL as the plugin asks the agent for them, from a process that runs already. */
export async function callAgent(sandbox: Sandbox): Promise<Samples> {
  const call = callOf(sandbox);
  const add = await timeAgent("ADD", call);
  return { "agent-add": add, "agent-del": await timeAgent("DEL", call) };
}

/** @returns how long the agent took, connection and all. @throws when it says no */
export async function timeAgent(verb: "ADD" | "DEL", call: Call): Promise<number> {
  const { CNI_COMMAND: _, CNI_PATH: __, ...environment } = environmentOf(verb, call);
  const request = { verb, startedAt: Date.now(), environment, config: JSON.parse(NETWORK_CONFIG) };
  const start = performance.now();
  const answer = await exchange(`${JSON.stringify(request)}\n`);
  const ms = performance.now() - start;
  if (record(JSON.parse(answer))["ok"] !== true) throw new Error(`Cannot ${verb}: the agent says ${answer}`);
  return ms;
}

async function exchange(line: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path: AGENT_SOCKET });
  await connection.write(new TextEncoder().encode(line));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (!text.endsWith("\n")) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error("Cannot ask the agent: it hung up");
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text;
}

const PTP = "/usr/lib/cni/ptp";
const PTP_RANGES: Readonly<Record<Family, string>> = { 4: "198.19.0.0/24", 6: "2001:db8:bf::/112" };
const PTP_ROUTES: Readonly<Record<Family, string>> = { 4: "0.0.0.0/0", 6: "::/0" };

/** Debian's ptp with host-local. @returns how long its ADD took; a DEL follows */
export async function callPtp(netns: string, families: readonly Family[]): Promise<number> {
  const ranges = families.map((family) => [{ subnet: PTP_RANGES[family] }]);
  const routes = families.map((family) => ({ dst: PTP_ROUTES[family] }));
  const config = { cniVersion: "1.0.0", name: "bench", type: "ptp", ipam: { type: "host-local", ranges, routes } };
  const call = { netns, container: newContainerId() };
  const stdin = JSON.stringify(config);
  const { ms } = await runTimed([PTP], { env: environmentOf("ADD", call), stdin });
  await runTimed([PTP], { env: environmentOf("DEL", call), stdin });
  return ms;
}
