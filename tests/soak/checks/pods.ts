/** Who says what of pods: the API server, the runtime, flock's state. All must say the same. */
import { record, records } from "../../lab/json.ts";
import type { Lab } from "../../lab/lab.ts";
import type { CriClient } from "../../lab/cri.ts";
import { compare } from "./compare.ts";
import type { Expectation } from "./expectation.ts";

/** A Pod that is bound to a node, as the API server has it. */
export interface ApiPod {
  readonly uid: string;
  readonly phase: string;
  readonly addresses: readonly string[];
}

/** A sandbox as the runtime has it now. */
export interface RuntimePod {
  readonly id: string;
  readonly uid: string;
  readonly addresses: readonly string[];
}

/** @returns the Pods of a node */
export async function readApiPods({ api }: Lab, nodeName: string): Promise<ApiPod[]> {
  const { items } = record(await api.get("/api/v1/pods"));
  return records(items).filter(({ spec }) => record(spec)["nodeName"] === nodeName).map(({ metadata, status }) => ({
    uid: String(record(metadata)["uid"]),
    phase: String(record(status)["phase"]),
    addresses: records(record(status)["podIPs"]).map(({ ip }) => String(ip)),
  }));
}

/** @returns those whose sandbox is ready */
export async function readRuntimePods(cri: CriClient): Promise<RuntimePod[]> {
  const ready = (await cri.listSandboxes()).filter((sandbox) => sandbox.ready);
  return await Promise.all(ready.map(async ({ id }) => {
    const { uid, addresses } = await cri.sandboxStatus(id);
    return { id, uid, addresses };
  }));
}

/** @param api absent: the server cannot be asked */
export function judgePods(
  { api, runtime, allocations }: {
    readonly api?: readonly ApiPod[];
    readonly runtime: readonly RuntimePod[];
    readonly allocations: readonly { readonly containerId: string; readonly podUid: string }[];
  },
  { live, owed }: Pick<Expectation, "live" | "owed">,
): string[] {
  const running = live.map(({ uid, addresses }) => `${uid} has ${inOrder(addresses)}`);
  const held = allocations.filter(({ containerId }) => !owed.has(containerId));
  return [
    ...(api === undefined ? [] : compare(
      "running Pods of the API server",
      api.filter(({ phase }) => phase === "Running").map(({ uid, addresses }) => `${uid} has ${inOrder(addresses)}`),
      running,
    )),
    ...(api ?? []).filter(({ phase }) => phase === "Pending").map(({ uid }) => `Pod ${uid} is still pending`),
    ...compare(
      "sandboxes of containerd",
      runtime.map(({ id, uid, addresses }) => `${id} of ${uid} has ${inOrder(addresses)}`),
      live.map(({ id, uid, addresses }) => `${id} of ${uid} has ${inOrder(addresses)}`),
    ),
    ...compare(
      "allocations by Pod",
      held.map(({ containerId, podUid }) => `${containerId} of ${podUid}`),
      live.map(({ id, uid }) => `${id} of ${uid}`),
    ),
  ];
}

function inOrder(addresses: readonly string[]): string {
  return addresses.toSorted().join(" and ") || "no address";
}
