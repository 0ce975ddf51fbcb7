/** The resources that the embedded server serves: a few of Kubernetes' own, and what CustomResourceDefinitions add. */
import { isJson, type Json, type StoredObject, valueAt } from "./_object.ts";
import { ANYTHING, type Schema } from "./_schema.ts";

export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  readonly hasStatus: boolean;
  /** Paths for field selectors. */
  readonly fieldLabels: readonly string[];
  /** Of custom resources. */
  readonly schema?: Schema;
}

const EVENT_FIELDS = ["kind", "namespace", "name", "uid", "apiVersion"].map((field) => `involvedObject.${field}`);

/** Kubernetes' own. */
export const BUILT_IN: readonly Resource[] = [
  core({ plural: "namespaces", kind: "Namespace", shortNames: ["ns"], namespaced: false, fields: ["status.phase"] }),
  core({ plural: "nodes", kind: "Node", shortNames: ["no"], namespaced: false, fields: ["spec.unschedulable"] }),
  core({
    plural: "pods",
    kind: "Pod",
    shortNames: ["po"],
    namespaced: true,
    fields: ["spec.nodeName", "status.phase"],
  }),
  core({
    plural: "events",
    kind: "Event",
    shortNames: ["ev"],
    namespaced: true,
    hasStatus: false,
    fields: [...EVENT_FIELDS, "reason", "type"],
  }),
  {
    ...core({
      plural: "customresourcedefinitions",
      kind: "CustomResourceDefinition",
      shortNames: ["crd"],
      namespaced: false,
    }),
    group: "apiextensions.k8s.io",
  },
  {
    ...core({
      plural: "networkpolicies",
      kind: "NetworkPolicy",
      shortNames: ["netpol"],
      namespaced: true,
      hasStatus: false,
    }),
    group: "networking.k8s.io",
  },
];

/** @returns `v1` or `group/version` */
export function apiVersionOf(resource: Resource): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** @returns the path of the collection over all namespaces */
export function apiPathOf(resource: Resource): string {
  return `/${resource.group === "" ? "api" : "apis"}/${apiVersionOf(resource)}/${resource.plural}`;
}

/** @returns `plural` or `plural.group`, as error texts name a resource and the store its collection */
export function qualifiedName(resource: Resource): string {
  return resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
}

/** @returns one resource for each served version of a definition */
export function resourcesOf(definition: StoredObject): Resource[] {
  const spec = definition["spec"];
  const text = (path: string): string => String(valueAt(spec, path) ?? "");
  const shortNames = valueAt(spec, "names.shortNames");
  return listAt(spec, "versions").filter((version) => version["served"] === true).map((version) => ({
    group: text("group"),
    version: String(version["name"]),
    plural: text("names.plural"),
    singular: text("names.singular"),
    kind: text("names.kind"),
    shortNames: Array.isArray(shortNames) ? shortNames.map(String) : [],
    namespaced: text("scope") === "Namespaced",
    hasStatus: valueAt(version, "subresources.status") !== undefined,
    fieldLabels: fieldLabels(text("scope") === "Namespaced"),
    schema: schemaOf(version),
  }));
}

interface CoreOptions {
  readonly plural: string;
  readonly kind: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  readonly hasStatus?: boolean;
  readonly fields?: readonly string[];
}

function core({ plural, kind, shortNames, namespaced, hasStatus = true, fields = [] }: CoreOptions): Resource {
  const labels = [...fieldLabels(namespaced), ...fields];
  return {
    group: "",
    version: "v1",
    plural,
    singular: kind.toLowerCase(),
    kind,
    shortNames,
    namespaced,
    hasStatus,
    fieldLabels: labels,
  };
}

function fieldLabels(namespaced: boolean): string[] {
  return namespaced ? ["metadata.name", "metadata.namespace"] : ["metadata.name"];
}

/** The metadata of a custom object is not its schema's business. */
function schemaOf(version: Json): Schema {
  const schema = valueAt(version, "schema.openAPIV3Schema");
  const preserved = { ...ANYTHING, type: "object" };
  if (!isJson(schema)) return preserved;
  const properties = isJson(schema["properties"]) ? schema["properties"] : {};
  const text = { type: "string" };
  return { ...schema, properties: { ...properties, apiVersion: text, kind: text, metadata: preserved } };
}

function listAt(object: unknown, path: string): Json[] {
  const value = valueAt(object, path);
  return Array.isArray(value) ? value.filter(isJson) : [];
}
