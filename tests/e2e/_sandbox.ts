/** A container as a runtime has one, but without the runtime: a named network namespace of the node, and calls of the plugin. */
import { assertEquals } from "@std/assert";
import type { CommandResult } from "../../src/exec/command_runner.ts";
import { hostLinkName } from "../../src/hash/container_hash.ts";
import type { Family } from "../../src/ip/address.ts";
import { record, records } from "../lab/json.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import type { LabNode } from "../lab/node.ts";
import type { ExecOptions } from "../lab/place.ts";

export const PLUGIN = "/opt/cni/bin/flock";

/** How a call of the plugin ended. */
export interface PluginAnswer {
  /** The process's exit code. */
  readonly exit: number;
  readonly stdout: string;
  /** The document on standard output; empty when there was none. */
  readonly document: Record<string, unknown>;
  /** The CNI error code; absent when the call succeeded. */
  readonly code?: unknown;
  /** The CNI error's message; empty when the call succeeded. */
  readonly msg: string;
}

export interface CallOptions {
  /** Of the Pod; absent: the runtime names none. */
  readonly pod?: { readonly namespace?: string; readonly name: string; readonly uid: string };
  /** More keys of the network configuration. */
  readonly config?: KubeObject;
  readonly env?: Readonly<Record<string, string>>;
  /** Kills the plugin after so many milliseconds, if it still runs. */
  readonly killAfterMs?: number;
}

/** Calls the plugin as a runtime does. */
export async function callPlugin(node: LabNode, verb: string, options: CallOptions = {}): Promise<PluginAnswer> {
  const { pod, config, env, killAfterMs } = options;
  const killed = killAfterMs === undefined ? [] : ["timeout", "-s", "KILL", `${killAfterMs / 1000}`];
  const { namespace = "default", name, uid } = pod ?? {};
  const args = `K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_UID=${uid}`;
  const { code: exit, stdout } = await node.exec([...killed, PLUGIN], {
    stdin: JSON.stringify({ cniVersion: "1.1.0", name: "flock", type: "flock", ...config }),
    env: { CNI_COMMAND: verb, CNI_PATH: "/opt/cni/bin", ...(pod && { CNI_ARGS: args }), ...env },
    timeoutMs: 100_000,
  });
  const document = stdout === "" ? {} : record(JSON.parse(stdout));
  const { code, msg = "" } = document;
  return { exit, stdout, document, msg: String(msg), ...(exit === 0 ? {} : { code }) };
}

export interface Sandbox {
  readonly id: string;
  /** Its name on the node, once it was added. */
  readonly hostLink: string;
  /** Of the last ADD that succeeded, as its result has them. */
  readonly addresses: readonly string[];
  /** @throws when it has none of that family */
  address(family: Family): string;
  call(verb: "ADD" | "DEL" | "CHECK", options?: CallOptions): Promise<PluginAnswer>;
  /** ADD, which must succeed. */
  add(options?: CallOptions): Promise<Sandbox>;
  /** DEL, which must succeed; then its network namespace goes. */
  remove(): Promise<void>;
  exec(argv: readonly string[], options?: ExecOptions): Promise<CommandResult>;
  /** Like exec, but @throws CommandFailed unless the exit code is 0. @returns standard output */
  output(argv: readonly string[], options?: ExecOptions): Promise<string>;
  /** Starts a long-running process in its network. */
  spawn: LabNode["spawn"];
}

/** Makes the network namespace; nothing is called yet. It goes with the lab at the latest. */
export async function createSandbox(node: LabNode): Promise<Sandbox> {
  const id = crypto.randomUUID().replaceAll("-", "");
  const enter = ["ip", "netns", "exec", id];
  let addresses: readonly string[] = [];
  await node.output(["ip", "netns", "add", id]);
  await node.output(["ip", "-n", id, "link", "set", "lo", "up"]);
  const call: Sandbox["call"] = async (verb, options = {}) => {
    const env = { CNI_CONTAINERID: id, CNI_NETNS: `/run/netns/${id}`, CNI_IFNAME: "eth0", ...options.env };
    const answer = await callPlugin(node, verb, { ...options, env });
    if (verb === "ADD" && answer.exit === 0) addresses = addressesOf(answer.document);
    return answer;
  };
  const expect = async (verb: "ADD" | "DEL", options?: CallOptions): Promise<void> => {
    const { exit, msg } = await call(verb, options);
    assertEquals([exit, msg], [0, ""], `${verb} of ${id}`);
  };
  const sandbox: Sandbox = {
    id,
    hostLink: hostLinkName(id),
    get addresses(): readonly string[] {
      return addresses;
    },
    address: (family) => {
      const found = addresses.find((address) => address.includes(":") === (family === 6));
      if (found === undefined) throw new Error(`Cannot name the IPv${family} address of ${id}: it has none`);
      return found;
    },
    call,
    add: async (options) => {
      await expect("ADD", options);
      return sandbox;
    },
    remove: async () => {
      await expect("DEL");
      await node.output(["ip", "netns", "delete", id]);
    },
    exec: (argv, options) => node.exec([...enter, ...argv], options),
    output: (argv, options) => node.output([...enter, ...argv], options),
    spawn: (name, argv, options) => node.spawn(`${id.slice(0, 8)}-${name}`, [...enter, ...argv], options),
  };
  return sandbox;
}

/** Makes a sandbox and adds it. */
export async function addSandbox(node: LabNode, options?: CallOptions): Promise<Sandbox> {
  return await (await createSandbox(node)).add(options);
}

function addressesOf(result: Record<string, unknown>): string[] {
  return records(result["ips"]).map(({ address }) => String(address).replace(/\/\d+$/, ""));
}
