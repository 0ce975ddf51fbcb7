import { parseCniArgs, type PodIdentity } from "./cni_args.ts";
import { CNI_CODE, CniError } from "./cni_error.ts";
import type { CniVersion } from "./cni_version.ts";
import { parsePodAnnotations, parseValidAttachments } from "./config_keys.ts";
import {
  type AttachmentName,
  CNI_VARIABLES,
  type CniEnvironment,
  type CniVariable,
  parseAttachmentName,
  parseNetns,
  parseVerb,
} from "./environment.ts";
import { isJsonObject, ownValue } from "./json_value.ts";
import { invalidConfig, type NetworkConfig, parseNetworkConfig } from "./network_config.ts";
import { parsePreviousResult, type PreviousResult } from "./previous_result.ts";

interface RequestBase {
  readonly cniVersion: CniVersion;
  /** Name of the network, from the configuration. */
  readonly network: string;
}

export interface AddRequest extends RequestBase, AttachmentName {
  readonly verb: "ADD";
  /** An absolute path; whether it is a network namespace is not known yet. */
  readonly netns: string;
  /** Absent when the runtime named no pod. */
  readonly pod?: PodIdentity;
  /** flock's annotations under their full keys, as the runtime passed them; absent when it passed none at all. */
  readonly podAnnotations?: ReadonlyMap<string, string>;
  /** What an earlier plugin of the chain made. */
  readonly previous?: PreviousResult;
}

/** Only what names the attachment is read: a DEL must not fail for the sake of anything else. */
export interface DelRequest extends RequestBase, AttachmentName {
  readonly verb: "DEL";
}

export interface CheckRequest extends RequestBase, AttachmentName {
  readonly verb: "CHECK";
  readonly netns: string;
  readonly previous: PreviousResult;
}

export interface GcRequest extends RequestBase {
  readonly verb: "GC";
  /** What to keep; null is to be believed only when a second source agrees. */
  readonly validAttachments: readonly AttachmentName[] | null;
}

export interface StatusRequest extends RequestBase {
  readonly verb: "STATUS";
}

type Place = RequestBase & AttachmentName & { readonly netns: string };

/** One request to the agent, checked. */
export type CniRequest = AddRequest | DelRequest | CheckRequest | GcRequest | StatusRequest;

/**
 * Reads one request: in the agent, or in the plugin where no agent takes it.
 *
 * @param raw parsed JSON of the form of RpcRequest (src/rpc)
 * @throws CniError with the code that the runtime shall see
 */
export function parseRpcRequest(raw: unknown): CniRequest {
  if (!isJsonObject(raw)) throw new CniError(CNI_CODE.decodeFailure, "Cannot decode request: it is no JSON object");
  const verb = parseVerb(ownValue(raw, "verb"));
  const environment = parseCniEnvironment(ownValue(raw, "environment"));
  const attachment = verb === "GC" || verb === "STATUS" ? undefined : parseAttachmentName(environment);
  const config = parseNetworkConfig(ownValue(raw, "config"), verb);
  const base = { cniVersion: config.cniVersion, network: config.name };
  if (verb === "STATUS") return { verb, ...base };
  if (verb === "GC") return { verb, ...base, validAttachments: parseValidAttachments(config.document) };
  if (attachment === undefined) throw new TypeError(`Cannot parse ${verb}: no attachment`);
  if (verb === "DEL") return { verb, ...base, ...attachment };
  const place = { ...base, ...attachment, netns: parseNetns(environment) };
  return verb === "ADD" ? parseAdd(place, { environment, config }) : parseCheck(place, config);
}

function parseAdd(place: Place, from: { environment: CniEnvironment; config: NetworkConfig }): AddRequest {
  const pod = parseCniArgs(from.environment.CNI_ARGS ?? "");
  const podAnnotations = parsePodAnnotations(from.config.document);
  const previous = parsePreviousResult(from.config.document);
  return {
    verb: "ADD",
    ...place,
    ...(pod === undefined ? {} : { pod }),
    ...(podAnnotations === undefined ? {} : { podAnnotations }),
    ...(previous === undefined ? {} : { previous }),
  };
}

function parseCheck(place: Place, config: NetworkConfig): CheckRequest {
  const previous = parsePreviousResult(config.document);
  if (previous === undefined) throw invalidConfig("prevResult", undefined, "must be given for CHECK");
  return { verb: "CHECK", ...place, previous };
}

function parseCniEnvironment(raw: unknown): CniEnvironment {
  const environment: { [name in CniVariable]?: string } = {};
  for (const name of CNI_VARIABLES) {
    const value = isJsonObject(raw) ? ownValue(raw, name) : undefined;
    if (typeof value === "string") environment[name] = value;
  }
  return environment;
}
