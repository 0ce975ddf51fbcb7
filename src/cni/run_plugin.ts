import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import { CNI_VERSIONS, type CniVersion } from "../cnispec/cni_version.ts";
import {
  CNI_VARIABLES,
  type CniEnvironment,
  type CniVariable,
  parseVerb,
  requireVariables,
} from "../cnispec/environment.ts";
import { isJsonObject, ownValue } from "../cnispec/json_value.ts";
import { MAX_CONFIG_BYTES, MAX_GC_CONFIG_BYTES, undecodable } from "../cnispec/network_config.ts";
import { renderError } from "../cnispec/result.ts";
import type { RpcRequest, RpcVerb } from "../rpc/rpc.ts";
import { AgentGone, callAgent, waitForAgent } from "./agent_call.ts";
import type { AgentConnection, PluginProcess } from "./plugin_process.ts";

/**
 * How long a call waits for an agent that starts; the others do not wait. ADD: less than kubelet gives a sandbox (4
 * min), more than a start takes.
 *
 * STATUS: an update of the DaemonSet leaves a node without an agent for some seconds. Were they an answer, kubelet
 * would report the node NotReady, the node controller then all of its pods, and each Service and anycast address on it
 * would lose them. Less than the 30 s after which kubelet takes a runtime that does not answer for dead. Not after a
 * boot, when no agent has been there: kubelet asks for the status before it starts any pod, flock's too.
 */
const AGENT_START_MS: ReadonlyMap<RpcVerb, number> = new Map([["ADD", 30_000], ["STATUS", 15_000]]);
/**
 * How long the agent may take to answer. STATUS is answered from memory: whoever takes longer can serve no ADD either.
 */
const TIMEOUT_MS: Readonly<Record<RpcVerb, number>> = {
  ADD: 90_000,
  DEL: 30_000,
  CHECK: 30_000,
  GC: 30_000,
  STATUS: 10_000,
};

/**
 * What a call needs only where no agent judges it: nearly none does, and to load it takes longer than all the rest of a
 * call. It is loaded from a bundle of its own, so its errors are known by name alone (isCniError).
 */
export interface WithoutAgent {
  /** @throws CniError for a request that the agent would refuse as it stands */
  checkRequest(request: RpcRequest): void;
  /** Leaves the note of a DEL, durably. The same attachment's earlier note is replaced. @throws CniError */
  leaveNote(request: RpcRequest): Promise<void>;
}

export interface RunOptions {
  /** Reads a file, so it is called before the permission for that goes, or by a DEL, which keeps it. */
  loadWithoutAgent(): Promise<WithoutAgent>;
}

/** What an error answer says of the call, as far as it is known. */
interface Asked {
  version?: CniVersion;
  requestId?: string;
}

/**
 * Serves one call of the runtime (CNI SPEC 1.1.0) that is not VERSION: makes one call to the agent, which judges it,
 * and prints the answer. Standard output gets one JSON document or nothing.
 *
 * @returns the exit code
 */
export async function runPlugin(process: PluginProcess, options: RunOptions): Promise<number> {
  const { code, document } = await answer(process, options);
  // Apart from what it may answer with an error: one after half a document would make two of them.
  if (document !== undefined) process.print(`${JSON.stringify(document)}\n`);
  return code;
}

async function answer(process: PluginProcess, options: RunOptions): Promise<{ code: number; document: unknown }> {
  const asked: Asked = {};
  try {
    const verb = parseVerb(process.env("CNI_COMMAND"));
    // kubelet repeats the words of STATUS in the Node's condition: were they others each time, it would write them each time.
    if (verb !== "STATUS") asked.requestId = process.requestId();
    return { code: 0, document: await serve(process, { ...options, verb, asked }) };
  } catch (error) {
    return { code: 1, document: renderError(error, asked) };
  }
}

/** Connects before anything else, because with the connection the last permission that a call needs can go. */
async function serve(
  process: PluginProcess,
  { verb, asked, loadWithoutAgent }: RunOptions & { verb: RpcVerb; asked: Asked },
): Promise<unknown> {
  const startedAt = process.wall();
  const environment = readEnvironment(process);
  const connection = await process.connect();
  const alone = connection === undefined ? await loadWithoutAgent() : undefined;
  const startMs = connection === undefined ? patienceOf(process, verb) : 0;
  process.giveUp(verb === "DEL" ? "tombstones" : startMs > 0 ? "agent socket" : "nothing");
  requireVariables(verb, environment);
  const config = readConfig(process, verb);
  const version = isJsonObject(config) ? ownValue(config, "cniVersion") : undefined;
  const spoken = CNI_VERSIONS.find((known) => known === version);
  if (spoken !== undefined) asked.version = spoken;
  const request = { verb, startedAt, ...(asked.requestId && { requestId: asked.requestId }), environment, config };
  alone?.checkRequest(request);
  try {
    return await forward(process, { connection, request, startMs });
  } catch (error) {
    if (!(error instanceof AgentGone)) throw error;
    if (verb !== "DEL") throw unanswered(verb, error);
    return await (alone ?? await loadWithoutAgent()).leaveNote(request);
  }
}

/** @throws AgentGone when no agent takes the call, it breaks off, or does not answer in time */
async function forward(
  process: PluginProcess,
  { connection, request, startMs }: {
    connection: AgentConnection | undefined;
    request: RpcRequest;
    startMs: number;
  },
): Promise<unknown> {
  const { verb } = request;
  const open = connection ?? await openLate(process, { verb, startMs });
  const result = await callAgent(process, { connection: open, request, timeoutMs: TIMEOUT_MS[verb] });
  if (verb !== "ADD") return undefined;
  if (isJsonObject(result)) return result;
  throw new CniError(CNI_CODE.ioFailure, "Cannot ADD: the agent sent no result");
}

/** @returns how long the call waits for an agent */
function patienceOf(process: PluginProcess, verb: RpcVerb): number {
  return verb === "STATUS" && !process.hadAgent() ? 0 : AGENT_START_MS.get(verb) ?? 0;
}

async function openLate(
  process: PluginProcess,
  { verb, startMs }: { verb: RpcVerb; startMs: number },
): Promise<AgentConnection> {
  if (startMs === 0) throw new AgentGone(`Cannot ${verb}: the flock agent takes no calls`);
  const connection = await waitForAgent(process, startMs);
  process.giveUp("nothing");
  return connection;
}

function unanswered(verb: RpcVerb, cause: AgentGone): CniError {
  return new CniError(verb === "STATUS" ? CNI_CODE.notAvailable : CNI_CODE.tryAgainLater, cause.message, { cause });
}

function readEnvironment(process: PluginProcess): CniEnvironment {
  const environment: { [name in CniVariable]?: string } = {};
  for (const name of CNI_VARIABLES) {
    const value = process.env(name);
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

function readConfig(process: PluginProcess, verb: RpcVerb): unknown {
  const limit = verb === "GC" ? MAX_GC_CONFIG_BYTES : MAX_CONFIG_BYTES;
  const bytes = readStdin(process, limit);
  if (bytes.length > limit) throw undecodable(`it is longer than ${limit} bytes`);
  if (bytes.length === 0) throw undecodable("standard input is empty");
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw undecodable("it is no JSON document", error);
  }
}

function readStdin(process: PluginProcess, limit: number): Uint8Array {
  try {
    return process.readStdin(limit);
  } catch (error) {
    throw new CniError(CNI_CODE.ioFailure, "Cannot read network configuration: standard input is unreadable", {
      cause: error,
    });
  }
}
