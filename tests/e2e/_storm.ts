/** Calls of the plugin all at once, as a node makes them that starts with all of its pods. */
import { records } from "../lab/json.ts";
import type { KubeObject } from "../lab/lab_api.ts";
import type { LabNode } from "../lab/node.ts";
import { PLUGIN } from "./_sandbox.ts";

export interface StormCall {
  /** Of the container, and of its network namespace below /run/netns. */
  readonly id: string;
  /** More keys of the network configuration. */
  readonly config?: KubeObject;
}

export interface StormAnswer {
  readonly id: string;
  readonly exit: number;
  readonly stdout: string;
  /** How long the process lived, in milliseconds. */
  readonly ms: number;
}

const DIRECTORY = "/run/storm";
const TIMEOUT_MS = 120_000;

/** No process but the plugins' own stands between them and their start; each has its standard input and output in files. */
const SCRIPT = `
export CNI_COMMAND=$0 CNI_PATH=/opt/cni/bin CNI_IFNAME=eth0
cd ${DIRECTORY}
for id in "$@"; do
  {
    start=$(date +%s%N)
    CNI_CONTAINERID=$id CNI_NETNS=/run/netns/$id ${PLUGIN} <$id.conf >$id.out
    echo "$? $((($(date +%s%N) - start) / 1000000))" >$id.end
  } &
done
wait
`;

/** Starts all calls at once. @returns how each ended, in the order given */
export async function storm(node: LabNode, verb: string, calls: readonly StormCall[]): Promise<StormAnswer[]> {
  const base = { cniVersion: "1.1.0", name: "flock", type: "flock" };
  for (const { id, config } of calls) {
    await node.write(`${DIRECTORY}/${id}.conf`, JSON.stringify({ ...base, ...config }));
  }
  await node.output(["sh", "-c", SCRIPT, verb, ...calls.map(({ id }) => id)], { timeoutMs: TIMEOUT_MS });
  return await Promise.all(calls.map(async ({ id }) => {
    const [exit = NaN, ms = NaN] = (await node.read(`${DIRECTORY}/${id}.end`)).trim().split(" ").map(Number);
    return { id, exit, ms, stdout: await node.read(`${DIRECTORY}/${id}.out`) };
  }));
}

/** @returns the addresses of a result, with their lengths */
export function addressesIn({ stdout }: StormAnswer): string[] {
  return records(JSON.parse(stdout)["ips"]).map(({ address }) => String(address));
}
