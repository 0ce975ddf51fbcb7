import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import { type CniRequest, parseRpcRequest } from "../cnispec/cni_request.ts";
import { mergeResult } from "../cnispec/merge_result.ts";
import { undecodable } from "../cnispec/network_config.ts";
import { renderResult } from "../cnispec/result.ts";
import { MAX_ORDINARY_REQUEST_BYTES } from "../rpc/rpc.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import { HOST_MAC } from "../link/host_mac.ts";
import type { AddOperation } from "./add.ts";
import type { CheckOperation } from "./check.ts";
import type { ContainerQueue } from "./container_queue.ts";
import type { DelOperation } from "./del.ts";
import type { GarbageCollector } from "./garbage_collector.ts";
import type { LateAdds } from "./late_adds.ts";

export interface CniServiceDependencies {
  readonly add: AddOperation;
  readonly del: DelOperation;
  readonly check: CheckOperation;
  readonly collector: GarbageCollector;
  readonly queue: ContainerQueue;
  readonly lateAdds: LateAdds;
  /** May wait for an agent that has just been replaced. @throws CniError 50 or 51 while no ADD can be served */
  assertServing(): Promise<void>;
}

/** Answers the plugin: one request in, the document for standard output out. */
export class CniService {
  constructor(private readonly deps: CniServiceDependencies) {}

  /**
   * @param raw one request as it came over the socket, checked here again
   * @param length of its line, in characters
   * @throws CniError
   */
  async handle(raw: unknown, length = 0): Promise<unknown> {
    const request = parseRpcRequest(raw);
    if (request.verb !== "GC" && length > MAX_ORDINARY_REQUEST_BYTES) throw undecodable("it is too long");
    switch (request.verb) {
      case "ADD":
        return await this.#add(request, this.deps.lateAdds.startOf(parseStartedAt(raw)));
      case "DEL":
        return await this.#del(request);
      case "CHECK":
        return await this.deps.queue.run(request.containerId, () => this.deps.check.run(request));
      case "GC":
        return await this.deps.collector.collectAllBut(request);
      case "STATUS":
        return await this.deps.assertServing();
    }
  }

  async #add(request: Extract<CniRequest, { verb: "ADD" }>, startedAt: number): Promise<unknown> {
    const { queue, add } = this.deps;
    const allocation = await queue.run(request.containerId, () => add.run({ ...request, startedAt }));
    const { cniVersion, netns } = request;
    const own = renderResult({ ...resultFields(allocation), cniVersion, netns });
    return request.previous === undefined ? own : mergeResult(request.previous.document, own);
  }

  async #del({ containerId, ifname }: Extract<CniRequest, { verb: "DEL" }>): Promise<void> {
    const { queue, del, lateAdds } = this.deps;
    const key = allocationKey({ containerId, ifname });
    const at = lateAdds.deleting(key);
    try {
      await queue.run(containerId, () => del.run({ containerId, ifname, at }));
    } finally {
      lateAdds.done(key, at);
    }
  }
}

/** What the answer takes from the record; the rest is as this call has it. */
function resultFields(allocation: Allocation): Omit<Parameters<typeof renderResult>[0], "cniVersion" | "netns"> {
  const { hostLink, ifname, podMac, mtu, ipv4, ipv6 } = allocation;
  const addresses = { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) };
  return { hostLink, hostMac: HOST_MAC, ifname, podMac, mtu, ...addresses };
}

function parseStartedAt(raw: unknown): number {
  const startedAt = typeof raw === "object" && raw !== null && "startedAt" in raw ? raw.startedAt : undefined;
  if (typeof startedAt === "number" && Number.isFinite(startedAt)) return startedAt;
  throw new CniError(CNI_CODE.decodeFailure, 'Cannot decode request: "startedAt" must be a number');
}
