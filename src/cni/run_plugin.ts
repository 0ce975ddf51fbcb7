import { parseRpcRequest } from "../cnispec/cni_request.ts";
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

/** How long ADD waits for an agent that starts: less than kubelet gives a sandbox (4 min), more than a start takes. */
const AGENT_START_MS = 30_000;
/** How long the agent may take to answer. STATUS is answered from memory: whoever takes longer can serve no ADD either. */
const TIMEOUT_MS: Readonly<Record<RpcVerb, number>> = {
  ADD: 90_000,
  DEL: 30_000,
  CHECK: 30_000,
  GC: 30_000,
  STATUS: 10_000,
};

/**
 * Serves one call of the runtime (CNI SPEC 1.1.0) that is not VERSION: parses, makes one call to the agent, prints. Standard output gets one JSON
 * document or nothing.
 *
 * @returns the exit code
 */
export async function runPlugin(process: PluginProcess): Promise<number> {
  const asked: { version?: CniVersion } = {};
  try {
    const document = await serveByAgent(process, { verb: parseVerb(process.env("CNI_COMMAND")), asked });
    if (document !== undefined) print(process, document);
    return 0;
  } catch (error) {
    print(process, renderError(error, asked.version));
    return 1;
  }
}

/** Connects before anything else, because with the connection the last permission that ADD needs can go. */
async function serveByAgent(
  process: PluginProcess,
  { verb, asked }: { verb: RpcVerb; asked: { version?: CniVersion } },
): Promise<unknown> {
  const startedAt = process.wall();
  const environment = readEnvironment(process);
  const connection = await process.connect();
  process.giveUp(
    verb === "DEL" ? "tombstones" : connection === undefined && verb === "ADD" ? "agent socket" : "nothing",
  );
  requireVariables(verb, environment);
  const config = readConfig(process, verb);
  const version = isJsonObject(config) ? ownValue(config, "cniVersion") : undefined;
  const spoken = CNI_VERSIONS.find((known) => known === version);
  if (spoken !== undefined) asked.version = spoken;
  const request = { verb, startedAt, environment, config };
  parseRpcRequest(request);
  return await forward(process, { connection, request });
}

/**
 * An agent that takes no call, breaks off or does not answer in time is no agent. A DEL then leaves a note and succeeds, or pods
 * would be stuck for as long as the agent is, and those whose DEL no runtime repeats would leak. A DEL that the agent has read and
 * does all the same is none the worse for the note.
 */
async function forward(
  process: PluginProcess,
  { connection, request }: { connection: AgentConnection | undefined; request: RpcRequest },
): Promise<unknown> {
  const { verb } = request;
  try {
    const open = connection ?? await openLate(process, verb);
    const result = await callAgent(process, { connection: open, request, timeoutMs: TIMEOUT_MS[verb] });
    if (verb === "ADD" && !isJsonObject(result)) {
      throw new CniError(CNI_CODE.ioFailure, "Cannot ADD: the agent sent no result");
    }
    return verb === "ADD" ? result : undefined;
  } catch (error) {
    if (!(error instanceof AgentGone)) throw error;
    if (verb === "DEL") return await leaveTombstone(process, request);
    throw new CniError(verb === "STATUS" ? CNI_CODE.notAvailable : CNI_CODE.tryAgainLater, error.message, {
      cause: error,
    });
  }
}

async function openLate(process: PluginProcess, verb: RpcVerb): Promise<AgentConnection> {
  if (verb !== "ADD") throw new AgentGone(`Cannot ${verb}: the flock agent takes no calls`);
  const connection = await waitForAgent(process, AGENT_START_MS);
  process.giveUp("nothing");
  return connection;
}

async function leaveTombstone(process: PluginProcess, { environment, startedAt }: RpcRequest): Promise<void> {
  const { CNI_CONTAINERID: containerId = "", CNI_IFNAME: ifname = "", CNI_NETNS: netns = "" } = environment;
  try {
    await process.leaveTombstone({ containerId, ifname, at: startedAt, ...(netns === "" ? {} : { netns }) });
  } catch (error) {
    if (error instanceof CniError) throw error;
    const message = `Cannot DEL: the flock agent takes no calls, nor the disk a note for it: ${String(error)}`;
    throw new CniError(CNI_CODE.tryAgainLater, message, { cause: error });
  }
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

function print(process: PluginProcess, document: unknown): void {
  process.print(`${JSON.stringify(document)}\n`);
}
