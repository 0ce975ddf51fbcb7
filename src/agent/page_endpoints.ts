import type { HostNetwork } from "../host/host_driver.ts";
import type { Endpoint } from "../http/page_server.ts";
import { DEFAULT_METRICS, type NodeConfig } from "../nodeconfig/node_config.ts";

/** Where the agent's pages always are: kubelet asks there, whatever the NodeConfig says. */
export const LOCAL_PAGES: Endpoint = { hostname: "127.0.0.1", port: DEFAULT_METRICS.port };

/** @returns where a node with this NodeConfig in force serves its pages; undefined: none is */
export function pageEndpoints(
  config: Pick<NodeConfig, "metrics"> | undefined,
  network: Pick<HostNetwork, "addresses"> | undefined,
): Endpoint[] {
  const { bind, port } = config?.metrics ?? DEFAULT_METRICS;
  const own = (network?.addresses ?? []).filter(({ scope }) => scope === "global").map(({ address }) => address.text);
  const hosts = bind === "Node" ? own : [LOCAL_PAGES.hostname];
  const others = hosts.filter((hostname) => hostname !== LOCAL_PAGES.hostname || port !== LOCAL_PAGES.port);
  return [LOCAL_PAGES, ...new Set(others)].map((each) => typeof each === "string" ? { hostname: each, port } : each);
}
