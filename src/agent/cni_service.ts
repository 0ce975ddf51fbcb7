import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import { type CniRequest, type DelRequest, parseRpcRequest } from "../cnispec/cni_request.ts";
import { isJsonObject, ownValue } from "../cnispec/json_value.ts";
import { mergeResult } from "../cnispec/merge_result.ts";
import { undecodable } from "../cnispec/network_config.ts";
import { renderResult } from "../cnispec/result.ts";
import type { Clock } from "../clock/clock.ts";
import { newRequestId, parseRequestId, withRequestId } from "../rpc/request_id.ts";
import { MAX_ORDINARY_REQUEST_BYTES } from "../rpc/rpc.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import { HOST_MAC } from "../link/host_mac.ts";
import type { LogFields, Logger } from "../log/logger.ts";
import type { AddOperation, TimedAddRequest } from "./add.ts";
import { podNameOf } from "./pod_of.ts";
import type { CheckOperation } from "./check.ts";
import type { ContainerQueue } from "./container_queue.ts";
import type { DelOperation } from "./del.ts";
import type { GarbageCollector } from "./garbage_collector.ts";
import type { LateAdds } from "./late_adds.ts";
import type { PodEvents } from "./pod_events.ts";
import type { Call, LastRequests } from "./last_requests.ts";

export interface CniServiceDependencies {
  readonly add: AddOperation;
  readonly del: DelOperation;
  readonly check: CheckOperation;
  readonly collector: GarbageCollector;
  readonly queue: ContainerQueue;
  readonly lateAdds: LateAdds;
  readonly events: PodEvents;
  readonly lastRequests: LastRequests;
  readonly clock: Clock;
  readonly logger: Logger;
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
    const requestId = parseRequestId(fieldOf(raw, "requestId")) ?? newRequestId();
    const call = { requestId, arrivedAt: this.deps.clock.monotonic() };
    let request: CniRequest | undefined;
    try {
      request = parseRpcRequest(raw);
      if (request.verb !== "GC" && length > MAX_ORDINARY_REQUEST_BYTES) throw undecodable("it is too long");
      const result = await this.#serve(request, { call, raw });
      this.#note(request, call);
      return result;
    } catch (error) {
      throw this.#refuse(error, { request, call });
    }
  }

  async #serve(request: CniRequest, { call, raw }: { call: Call; raw: unknown }): Promise<unknown> {
    switch (request.verb) {
      case "ADD":
        return await this.#add({ ...request, ...call, startedAt: this.deps.lateAdds.startOf(parseStartedAt(raw)) });
      case "DEL":
        return await this.#del({ ...request, ...call });
      case "CHECK":
        return await this.deps.queue.run(request.containerId, () => this.deps.check.run(request));
      case "GC":
        return await this.deps.collector.collectAllBut(request);
      case "STATUS":
        return await this.deps.assertServing();
    }
  }

  async #add(request: TimedAddRequest): Promise<unknown> {
    const { queue, add } = this.deps;
    const allocation = await queue.run(request.containerId, () => add.run(request));
    const { cniVersion, netns } = request;
    const own = renderResult({ ...resultFields(allocation), cniVersion, netns });
    return request.previous === undefined ? own : mergeResult(request.previous.document, own);
  }

  async #del({ containerId, ifname, requestId, arrivedAt }: DelRequest & Call): Promise<void> {
    const { queue, del, lateAdds } = this.deps;
    const key = allocationKey({ containerId, ifname });
    const at = lateAdds.deleting(key);
    try {
      await queue.run(containerId, () => del.run({ containerId, ifname, at, requestId, arrivedAt }));
    } finally {
      lateAdds.done(key, at);
    }
  }

  /** Of STATUS nobody is told: runtimes ask every few seconds, and what is wrong then is said elsewhere. @returns what to throw */
  #refuse(error: unknown, { request, call }: { request: CniRequest | undefined; call: Call }): unknown {
    if (request?.verb === "STATUS") return error;
    const refusal = error instanceof CniError ? error : new CniError(CNI_CODE.internal, String(error));
    const { requestId } = call;
    const { code, reason, message } = refusal;
    const ms = this.#ageOf(call);
    this.deps.logger.warn("request refused", {
      request: requestId,
      ...subjectOf(request),
      code,
      reason,
      error: message,
      ms,
    });
    if (request?.verb === "ADD") this.deps.events.refused(request.pod, refusal, requestId);
    if (request !== undefined) this.#note(request, call, message);
    if (!(error instanceof CniError)) return error;
    return new CniError(code, message, {
      details: withRequestId(error.details, requestId),
      ...(reason === undefined ? {} : { reason }),
      cause: error.cause,
    });
  }

  #note(request: CniRequest, call: Call, error?: string): void {
    if (!("containerId" in request)) return;
    const { requestId } = call;
    const record = { requestId, verb: request.verb, at: this.deps.clock.wall(), ms: this.#ageOf(call) };
    this.deps.lastRequests.note(request.containerId, error === undefined ? record : { ...record, error });
  }

  #ageOf({ arrivedAt }: Call): number {
    return Math.round(this.deps.clock.monotonic() - arrivedAt);
  }
}

/** Whom a request is about, for the log. */
function subjectOf(request: CniRequest | undefined): LogFields {
  if (request === undefined) return {};
  const pod = "pod" in request ? podNameOf(request) : undefined;
  return { verb: request.verb, container: "containerId" in request ? request.containerId : undefined, pod };
}

/** What the answer takes from the record; the rest is as this call has it. */
function resultFields(allocation: Allocation): Omit<Parameters<typeof renderResult>[0], "cniVersion" | "netns"> {
  const { hostLink, ifname, podMac, mtu, ipv4, ipv6 } = allocation;
  const addresses = { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) };
  return { hostLink, hostMac: HOST_MAC, ifname, podMac, mtu, ...addresses };
}

function parseStartedAt(raw: unknown): number {
  const startedAt = fieldOf(raw, "startedAt");
  if (typeof startedAt === "number" && Number.isFinite(startedAt)) return startedAt;
  throw new CniError(CNI_CODE.decodeFailure, 'Cannot decode request: "startedAt" must be a number');
}

function fieldOf(raw: unknown, name: string): unknown {
  return isJsonObject(raw) ? ownValue(raw, name) : undefined;
}
