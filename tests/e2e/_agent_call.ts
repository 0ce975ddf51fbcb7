/** Calls of the agent without the plugin: one line over its socket and one back. */
import { AGENT_SOCKET } from "../../src/paths/paths.ts";
import type { RpcRequest } from "../../src/rpc/rpc.ts";
import { record } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";

/** @returns the document for standard output; empty when the verb has none. @throws the agent's error */
export async function callAgent(
  node: LabNode,
  verb: RpcRequest["verb"],
  environment: RpcRequest["environment"],
): Promise<Record<string, unknown>> {
  const config = { cniVersion: "1.1.0", name: "flock", type: "flock" };
  const request: RpcRequest = { verb, startedAt: Date.now(), environment, config };
  using connection = await Deno.connect({ transport: "unix", path: node.outside(AGENT_SOCKET) });
  await connection.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
  const { ok, result, msg } = record(JSON.parse(await new Response(connection.readable).text()));
  if (ok !== true) throw new Error(`Cannot ${verb} ${environment.CNI_CONTAINERID}: ${msg}`);
  return record(result);
}
