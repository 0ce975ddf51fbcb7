import { parseAddress } from "../ip/address.ts";
import { parseLabels } from "../policy/parse_labels.ts";
import { parseNamedPorts } from "../policy/parse_named_ports.ts";
import { ANNOTATION_PREFIX } from "./annotations.ts";
import type { Pod } from "./pod.ts";

/** kubelet's own UID of a static pod, on the mirror that it shows the API server. */
const STATIC_HASH = "kubernetes.io/config.hash";

type RawRecord = Readonly<Record<string, unknown>>;

/**
 * Cuts a pod down to what flock needs. Never throws, whatever the object holds.
 *
 * @param raw a `v1` Pod as the API server sends it
 * @returns undefined when it lacks what every pod has: namespace, name and UID
 */
export function parsePod(raw: unknown): Pod | undefined {
  const { metadata, spec, status } = recordOf(raw);
  const { namespace, name, uid, labels, annotations, deletionTimestamp } = recordOf(metadata);
  if (!isText(namespace) || !isText(name) || !isText(uid)) return undefined;
  const { containers, initContainers, hostNetwork } = recordOf(spec);
  const staticHash = recordOf(annotations)[STATIC_HASH];
  const image = recordOf(listOf(containers)[0])["image"];
  return {
    namespace,
    name,
    uid,
    ...(isText(staticHash) && { staticHash }),
    image: isText(image) ? image : "",
    hostNetwork: hostNetwork === true,
    ips: listOf(recordOf(status)["podIPs"]).flatMap((each) => parseAddress(String(recordOf(each)["ip"]))?.text ?? []),
    hasHostPort: [...listOf(containers), ...listOf(initContainers)].some(hasHostPort),
    ready: listOf(recordOf(status)["conditions"]).some(isReady),
    terminating: isText(deletionTimestamp),
    annotations: flockAnnotations(recordOf(annotations)),
    labels: parseLabels(labels),
    ports: parseNamedPorts(spec),
  };
}

function flockAnnotations(annotations: RawRecord): ReadonlyMap<string, string> {
  const ours = new Map<string, string>();
  for (const [key, value] of Object.entries(annotations)) {
    if (key.startsWith(ANNOTATION_PREFIX) && typeof value === "string") {
      ours.set(key.slice(ANNOTATION_PREFIX.length), value);
    }
  }
  return ours;
}

function hasHostPort(container: unknown): boolean {
  return listOf(recordOf(container)["ports"]).some((port) => {
    const { hostPort } = recordOf(port);
    return typeof hostPort === "number" && hostPort !== 0;
  });
}

function isReady(condition: unknown): boolean {
  const { type, status } = recordOf(condition);
  return type === "Ready" && status === "True";
}

function recordOf(value: unknown): RawRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
