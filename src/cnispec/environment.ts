import { formatProblem } from "../fault/invalid_input.ts";
import type { RpcVerb } from "../rpc/rpc.ts";
import { CNI_CODE, CniError } from "./cni_error.ts";

/** The environment variables of SPEC 1.1.0, "Parameters", apart from CNI_COMMAND. Unknown ones are never read. */
export const CNI_VARIABLES = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"] as const;
export type CniVariable = typeof CNI_VARIABLES[number];
export type CniEnvironment = { readonly [name in CniVariable]?: string };

/** The verbs that the agent serves. VERSION is answered by the plugin alone. */
export const RPC_VERBS: readonly RpcVerb[] = ["ADD", "DEL", "CHECK", "GC", "STATUS"];

/** One interface of one container. */
export interface AttachmentName {
  readonly containerId: string;
  readonly ifname: string;
}

const REQUIRED: Readonly<Record<RpcVerb, readonly CniVariable[]>> = {
  ADD: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
  CHECK: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
  DEL: ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"],
  GC: ["CNI_PATH"],
  STATUS: ["CNI_PATH"],
};

const CONTAINER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
const IFNAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}$/;
/** Where runtimes keep them: by name, in containerd's state directory, or as a process's own (cnitool, dockerd). */
const NETNS =
  /^(?:\/(?:var\/)?run\/(?:netns|containerd(?:\/[a-zA-Z0-9][\w.-]*)+)\/[a-zA-Z0-9][\w.-]{0,254}|\/proc\/(?:self|\d{1,10})\/ns\/net)$/;
const MAX_NETNS_LENGTH = 1024;

/** @returns the verb. @throws CniError 4 when CNI_COMMAND holds something else */
export function parseVerb(command: unknown): RpcVerb {
  const verb = RPC_VERBS.find((known) => known === command);
  if (verb === undefined) {
    throw invalidVariable("CNI_COMMAND", String(command), `must be one of ${RPC_VERBS.join(", ")}, VERSION`);
  }
  return verb;
}

/** @throws CniError 4 that names every variable which the verb needs and which is absent or empty */
export function requireVariables(verb: RpcVerb, environment: CniEnvironment): void {
  const missing = REQUIRED[verb].filter((name) => (environment[name] ?? "") === "");
  if (missing.length === 0) return;
  throw new CniError(CNI_CODE.invalidEnvironment, `required env variables [${missing.join(",")}] missing`);
}

/** @throws CniError 4 when container id or interface name break the rules of SPEC 1.1.0, "Parameters" */
export function parseAttachmentName(environment: CniEnvironment): AttachmentName {
  const { CNI_CONTAINERID: containerId = "", CNI_IFNAME: ifname = "" } = environment;
  if (!isContainerId(containerId)) {
    throw invalidVariable(
      "CNI_CONTAINERID",
      containerId,
      "must be 1 to 128 of a-z A-Z 0-9 _ . - and start with none of _ . -",
    );
  }
  if (!isIfname(ifname)) {
    throw invalidVariable("CNI_IFNAME", ifname, "must be 1 to 15 of a-z A-Z 0-9 . _ - and start with none of . _ -");
  }
  return { containerId, ifname };
}

/** @throws CniError 4 when CNI_NETNS is no path, without detours, of a place where network namespaces are */
export function parseNetns(environment: CniEnvironment): string {
  const { CNI_NETNS: netns = "" } = environment;
  if (netns.length <= MAX_NETNS_LENGTH && NETNS.test(netns)) return netns;
  const rule = "must be a plain path below /run/netns, /var/run/netns or /run/containerd, or /proc/PID/ns/net";
  throw invalidVariable("CNI_NETNS", netns, rule);
}

/** Says whether the text can name a container. It is then also safe as a file's name. */
export function isContainerId(text: unknown): text is string {
  return typeof text === "string" && CONTAINER_ID.test(text);
}

/** Says whether the text can name a pod's interface. */
export function isIfname(text: unknown): text is string {
  return typeof text === "string" && IFNAME.test(text);
}

function invalidVariable(field: string, value: string, rule: string): CniError {
  return new CniError(CNI_CODE.invalidEnvironment, formatProblem({ field, value, rule }));
}
