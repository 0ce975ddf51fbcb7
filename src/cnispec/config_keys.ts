import { type AttachmentName, isContainerId, isIfname } from "./environment.ts";
import { isJsonObject, type JsonObject, ownValue } from "./json_value.ts";
import { invalidConfig } from "./network_config.ts";

/** Key of the pod's annotations, and the capability of that name that the conflist must declare. */
export const POD_ANNOTATIONS = "io.kubernetes.cri.pod-annotations";

const ATTACHMENTS = "cni.dev/valid-attachments";
/** What libcni 1.2.0 called it, and newer ones send beside the other (containernetworking/cni#1101). */
const OLD_ATTACHMENTS = "cni.dev/attachments";
const OWN_PREFIX = "flock.fritzlab.net/";
/** What the API server lets an annotation's name be. */
const OWN_KEY = /^flock\.fritzlab\.net\/[a-zA-Z0-9](?:[\w.-]{0,61}[a-zA-Z0-9])?$/;

/**
 * Reads the annotations that the runtime passes along at ADD.
 *
 * @returns flock's own under their full keys; undefined when the runtime passed none at all
 * @throws CniError 7 when they are no map of texts
 */
export function parsePodAnnotations(config: JsonObject): ReadonlyMap<string, string> | undefined {
  const runtimeConfig = ownValue(config, "runtimeConfig");
  const raw = isJsonObject(runtimeConfig) ? ownValue(runtimeConfig, POD_ANNOTATIONS) : undefined;
  if (raw === undefined || raw === null) return undefined;
  const field = `runtimeConfig["${POD_ANNOTATIONS}"]`;
  if (!isJsonObject(raw)) throw invalidConfig(field, raw, "must map text to text");
  const own = Object.entries(raw).filter(([key]) => key.startsWith(OWN_PREFIX));
  return new Map(own.map(([key, value]) => {
    if (!OWN_KEY.test(key)) throw invalidConfig(field, key, "must have keys that can name an annotation");
    if (typeof value !== "string") throw invalidConfig(`${field} ${key}`, value, "must be text");
    return [key, value];
  }));
}

/**
 * Reads the attachments that GC must keep. Runtimes send a list, or `null` for an empty one, or (cnitool) no key at all.
 *
 * An entry that names no container can be none of flock's and is dropped. One that names a container but no proper interface
 * may be a live pod's, and a wrong removal cuts that off: the whole list is refused.
 *
 * @returns the list, or null, which is to be believed only when a second source agrees
 * @throws CniError 7 when the key is absent or holds something else
 */
export function parseValidAttachments(config: JsonObject): readonly AttachmentName[] | null {
  const key = Object.hasOwn(config, ATTACHMENTS) ? ATTACHMENTS : OLD_ATTACHMENTS;
  const raw = ownValue(config, key);
  if (raw === null) return null;
  if (!Array.isArray(raw)) throw invalidConfig(ATTACHMENTS, raw, "must be a list of containerID and ifname, or null");
  return raw.flatMap((entry, index) => parseEntry(entry, `${key}[${index}]`));
}

function parseEntry(entry: unknown, field: string): AttachmentName[] {
  const containerId = isJsonObject(entry) ? ownValue(entry, "containerID") : undefined;
  const ifname = isJsonObject(entry) ? ownValue(entry, "ifname") : undefined;
  if (!isContainerId(containerId)) return [];
  if (!isIfname(ifname)) throw invalidConfig(`${field}.ifname`, ifname, "must name an interface");
  return [{ containerId, ifname }];
}
