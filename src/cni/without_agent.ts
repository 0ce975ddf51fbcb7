/** What a call of the plugin needs where no agent takes it. */
import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import { parseRpcRequest } from "../cnispec/cni_request.ts";
import type { RpcRequest } from "../rpc/rpc.ts";
import { leaveTombstone } from "./leave_tombstone.ts";

/** A call that no agent can serve later fails at once. @throws CniError */
export function checkRequest(request: RpcRequest): void {
  parseRpcRequest(request);
}

/**
 * An agent that takes no call, breaks off or does not answer in time is no agent. A DEL then leaves a note and succeeds, or pods
 * would be stuck for as long as the agent is, and those whose DEL no runtime repeats would leak. A DEL that the agent has read and
 * does all the same is none the worse for the note.
 *
 * @param leave puts the note where the agent looks for it
 * @throws CniError for a request that no agent would take, or when the note cannot be left
 */
export async function leaveNote(request: RpcRequest, leave = leaveTombstone): Promise<void> {
  parseRpcRequest(request);
  const { environment, startedAt, requestId } = request;
  const { CNI_CONTAINERID: containerId = "", CNI_IFNAME: ifname = "" } = environment;
  try {
    await leave({ containerId, ifname, at: startedAt, ...(requestId && { requestId }) });
  } catch (error) {
    if (error instanceof CniError) throw error;
    const message = `Cannot DEL: the flock agent takes no calls, nor the disk a note for it: ${String(error)}`;
    throw new CniError(CNI_CODE.tryAgainLater, message, { cause: error });
  }
}
