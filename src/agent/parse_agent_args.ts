import { parseArgs } from "node:util";

/** What the command line and the environment say about this agent. */
export interface AgentOptions {
  readonly nodeName: string;
  /** Absent: the pod's service account. */
  readonly kubeconfig?: string;
}

export const AGENT_USAGE = `Usage: flock agent [--kubeconfig FILE] [--node NAME]

Runs the node agent. It serves the CNI plugin on /run/flock/agent.sock until it gets SIGTERM.

  --kubeconfig FILE  how to reach the API server, a file below /etc/flock;
                     default: the service account of the pod
  --node NAME        name of this node; default: the environment's NODE_NAME
  --help             this text
`;

/** A lowercase RFC 1123 subdomain, as a Node's name is. */
const NODE_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/**
 * @param args what follows `agent`
 * @returns the options, or "help"
 * @throws Error that names the argument
 */
export function parseAgentArgs(
  args: readonly string[],
  env: (name: string) => string | undefined,
): AgentOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: { kubeconfig: { type: "string" }, node: { type: "string" }, help: { type: "boolean", short: "h" } },
    strict: true,
  });
  if (values.help === true) return "help";
  const nodeName = values.node ?? env("NODE_NAME");
  if (nodeName === undefined) throw new Error("Cannot start agent: neither --node nor NODE_NAME names the node");
  if (!NODE_NAME.test(nodeName)) throw new Error(`Cannot start agent: node name ${JSON.stringify(nodeName)} is none`);
  return values.kubeconfig === undefined ? { nodeName } : { nodeName, kubeconfig: values.kubeconfig };
}
