/** What each kind of object does with a write, as the real server's registries have it. */
import { equalJson, isJson, type Json, type StoredObject, valueAt } from "./_object.ts";
import type { Resource } from "./_resource.ts";
import type { Cause } from "./_status_error.ts";

/** What a request's path names. */
export interface Target {
  readonly resource: Resource;
  /** Empty for what is cluster-scoped, and for all namespaces. */
  readonly namespace: string;
  /** Empty for the collection. */
  readonly name: string;
  readonly subresource: "" | "status";
}

const SERVER_OWNED = [
  "namespace",
  "uid",
  "creationTimestamp",
  "generation",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "resourceVersion",
];
const DEFAULT_GRACE_SECONDS = 30;

/** `/status` takes the status alone; the object itself takes everything but the status. */
export function mergeUpdate(
  { resource, subresource }: Target,
  { old, object }: { old: StoredObject; object: StoredObject },
): StoredObject {
  if (subresource === "status") return withStatus(old, object["status"]);
  const owned = Object.entries(old.metadata).filter(([key]) => SERVER_OWNED.includes(key));
  const given = Object.entries(object.metadata).filter(([key]) => !SERVER_OWNED.includes(key));
  const metadata = { ...Object.fromEntries([...given, ...owned]), name: old.metadata.name };
  const next = resource.hasStatus ? withStatus(object, old["status"]) : object;
  if (equalJson(contentOf(old), contentOf(next))) return { ...next, metadata };
  return { ...next, metadata: { ...metadata, generation: (old.metadata.generation ?? 0) + 1 } };
}

export function withStatus(object: StoredObject, status: unknown): StoredObject {
  const { status: _, ...rest } = object;
  return status === undefined ? rest : { ...rest, status };
}

function contentOf(object: StoredObject): Json {
  const { metadata: _metadata, status: _status, ...rest } = object;
  return rest;
}

/** @returns undefined for none */
export function initialStatus({ kind, schema, hasStatus }: Resource, object: StoredObject): unknown {
  if (kind === "Pod") return { phase: "Pending" };
  if (kind === "Namespace") return { phase: "Active" };
  if (kind === "CustomResourceDefinition") {
    const condition = { status: "True", reason: "Accepted", message: "", lastTransitionTime: now() };
    return { conditions: ["NamesAccepted", "Established"].map((type) => ({ type, ...condition })) };
  }
  return schema !== undefined && hasStatus ? undefined : object["status"];
}

/** A pod that runs on a node is given time; so does the real server, and the kubelet then deletes it with 0. */
export function graceOf(resource: Resource, object: StoredObject, asked: number | undefined): number {
  const phase = valueAt(object, "status.phase");
  const bound = resource.kind === "Pod" && valueAt(object, "spec.nodeName") !== undefined;
  if (!bound || phase === "Failed" || phase === "Succeeded") return 0;
  return asked ?? Number(valueAt(object, "spec.terminationGracePeriodSeconds") ?? DEFAULT_GRACE_SECONDS);
}

/** @returns the object with what the server itself adds to it */
export function completeBuiltIn({ kind }: Resource, object: StoredObject): StoredObject {
  if (kind === "Namespace") {
    const labels = { ...object.metadata.labels, "kubernetes.io/metadata.name": object.metadata.name };
    return { ...object, metadata: { ...object.metadata, labels } };
  }
  const spec = object["spec"];
  if (kind !== "NetworkPolicy" || !isJson(spec) || spec["policyTypes"] !== undefined) return object;
  const isEgress = Array.isArray(spec["egress"]) && spec["egress"].length > 0;
  return { ...object, spec: { ...spec, policyTypes: isEgress ? ["Ingress", "Egress"] : ["Ingress"] } };
}

export function checkBuiltIn(resource: Resource, object: StoredObject): Cause[] {
  if (resource.kind !== "Event" || !isJson(object["involvedObject"])) return [];
  const involved = object["involvedObject"]["namespace"] ?? "default";
  if (involved === object.metadata.namespace) return [];
  const message = `Invalid value: ${JSON.stringify(involved)}: does not match event.namespace`;
  return [{ reason: "FieldValueInvalid", message, field: "involvedObject.namespace" }];
}

/** @returns the time in the form of metadata */
export function now(laterSeconds = 0): string {
  return new Date(Date.now() + laterSeconds * 1000).toISOString().replace(/\.\d+/, "");
}
