import { parseAddress } from "../ip/address.ts";
import { type Fields, fieldsOf, isText, itemsOf } from "../json/fields.ts";
import { parseLabels } from "../policy/parse_labels.ts";
import { parseNamedPorts } from "../policy/parse_named_ports.ts";
import { ANNOTATION_PREFIX } from "./annotations.ts";
import type { Pod } from "./pod.ts";

/** kubelet's own UID of a static pod, on the mirror that it shows the API server. */
const STATIC_HASH = "kubernetes.io/config.hash";

/**
 * Cuts a pod down to what flock needs. Never throws, whatever the object holds.
 *
 * @param raw a `v1` Pod as the API server sends it
 * @returns undefined when it lacks what every pod has: namespace, name and UID
 */
export function parsePod(raw: unknown): Pod | undefined {
  const { metadata, spec, status } = fieldsOf(raw);
  const { namespace, name, uid, labels, annotations, deletionTimestamp } = fieldsOf(metadata);
  if (!isText(namespace) || !isText(name) || !isText(uid)) return undefined;
  const { containers, initContainers, hostNetwork } = fieldsOf(spec);
  const staticHash = fieldsOf(annotations)[STATIC_HASH];
  const image = fieldsOf(itemsOf(containers)[0])["image"];
  return {
    namespace,
    name,
    uid,
    ...(isText(staticHash) && { staticHash }),
    image: isText(image) ? image : "",
    hostNetwork: hostNetwork === true,
    ips: itemsOf(fieldsOf(status)["podIPs"]).flatMap((each) => parseAddress(String(fieldsOf(each)["ip"]))?.text ?? []),
    hasHostPort: [...itemsOf(containers), ...itemsOf(initContainers)].some(hasHostPort),
    ready: itemsOf(fieldsOf(status)["conditions"]).some(isReady),
    terminating: isText(deletionTimestamp),
    annotations: flockAnnotations(fieldsOf(annotations)),
    labels: parseLabels(labels),
    ports: parseNamedPorts(spec),
  };
}

function flockAnnotations(annotations: Fields): ReadonlyMap<string, string> {
  const ours = new Map<string, string>();
  for (const [key, value] of Object.entries(annotations)) {
    if (key.startsWith(ANNOTATION_PREFIX) && typeof value === "string") {
      ours.set(key.slice(ANNOTATION_PREFIX.length), value);
    }
  }
  return ours;
}

function hasHostPort(container: unknown): boolean {
  return itemsOf(fieldsOf(container)["ports"]).some((port) => {
    const { hostPort } = fieldsOf(port);
    return typeof hostPort === "number" && hostPort !== 0;
  });
}

function isReady(condition: unknown): boolean {
  const { type, status } = fieldsOf(condition);
  return type === "Ready" && status === "True";
}
