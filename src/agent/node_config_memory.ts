import type { Logger } from "../log/logger.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import { parseNodeConfig } from "../nodeconfig/parse_node_config.ts";
import { renderNodeConfig } from "../nodeconfig/render_node_config.ts";
import { type JsonMemory, openJsonMemory } from "./json_memory.ts";

/** Keeps the NodeConfig in force over restarts of the agent, for when the one in the API is invalid or gone by then. */
export type NodeConfigMemory = JsonMemory<NodeConfig>;

/** @param path an absolute path */
export function openNodeConfigMemory(place: { path: string; logger: Logger }): NodeConfigMemory {
  return openJsonMemory({ ...place, what: "NodeConfig", parse: parseNodeConfig, render: renderNodeConfig });
}
