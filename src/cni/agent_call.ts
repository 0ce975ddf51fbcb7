import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import { ownValue, parseJsonObject } from "../cnispec/json_value.ts";
import { undecodable } from "../cnispec/network_config.ts";
import type { RpcRequest } from "../rpc/rpc.ts";
import type { AgentConnection, PluginProcess } from "./plugin_process.ts";

/** The agent is not there, went away before it answered, or took too long. */
export class AgentGone extends Error {
  override readonly name = "AgentGone";
}

const RETRY_MS = 100;
const CHUNK_BYTES = 65_536;
const MAX_RESPONSE_BYTES = 1 << 20;

/**
 * Waits for an agent that is starting.
 *
 * @throws AgentGone when none listens within `ms` milliseconds
 */
export async function waitForAgent(process: PluginProcess, ms: number): Promise<AgentConnection> {
  const end = process.monotonic() + ms;
  while (process.monotonic() < end) {
    await process.sleep(RETRY_MS);
    const connection = await process.connect();
    if (connection !== undefined) return connection;
  }
  throw new AgentGone(`Cannot reach the flock agent: it did not start within ${ms / 1000} s`);
}

/**
 * Sends one request and waits for its answer.
 *
 * @returns the document for standard output, if there is one
 * @throws CniError: the agent's own answer
 * @throws AgentGone when the connection ends without an answer, or there is none within `timeoutMs`
 */
export async function callAgent(
  process: PluginProcess,
  { connection, request, timeoutMs }: { connection: AgentConnection; request: RpcRequest; timeoutMs: number },
): Promise<unknown> {
  const answer = exchange(connection, renderRequest(request));
  const line = await Promise.race([answer, process.sleep(timeoutMs).then(() => undefined)]);
  if (line !== undefined) return parseResponse(line);
  throw new AgentGone(`Cannot ${request.verb}: no answer of the agent in ${timeoutMs / 1000} s`);
}

/** @throws CniError 6 for what nests too deep: of 100 000 levels, V8 13 can parse them all, but not write them */
function renderRequest(request: RpcRequest): Uint8Array {
  try {
    return new TextEncoder().encode(`${JSON.stringify(request)}\n`);
  } catch (error) {
    throw undecodable("it nests too deep", error);
  }
}

async function exchange(connection: AgentConnection, line: Uint8Array): Promise<string> {
  try {
    let rest = line;
    while (rest.length > 0) rest = rest.subarray(await connection.write(rest));
    return await readLine(connection);
  } catch (error) {
    if (error instanceof AgentGone) throw error;
    throw new AgentGone("Cannot finish the call: the connection to the agent broke", { cause: error });
  }
}

async function readLine(connection: AgentConnection): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(CHUNK_BYTES);
  let text = "";
  while (text.length < MAX_RESPONSE_BYTES) {
    const count = await connection.read(buffer);
    if (count === null) {
      throw new AgentGone("Cannot finish the call: the agent closed the connection without an answer");
    }
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
    if (text.endsWith("\n")) return text;
  }
  throw new CniError(CNI_CODE.ioFailure, `Cannot read the agent's answer: longer than ${MAX_RESPONSE_BYTES} bytes`);
}

function parseResponse(line: string): unknown {
  const response = parseJsonObject(line);
  const [ok, code, msg, details] = ["ok", "code", "msg", "details"].map((key) => ownValue(response, key));
  if (ok === true) return ownValue(response, "result");
  if (ok !== false || !Number.isInteger(code) || typeof msg !== "string") {
    throw new CniError(CNI_CODE.ioFailure, "Cannot read the agent's answer: not of the agreed form");
  }
  throw new CniError(Number(code), msg, typeof details === "string" ? { details } : {});
}
