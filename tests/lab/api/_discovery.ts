/** What `kubectl` asks before it does anything. */
import { apiVersionOf, type Resource } from "./_resource.ts";

const VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"];

/** @returns the answer to a discovery path; undefined when the path is none */
export function discover(path: string, resources: readonly Resource[]): Record<string, unknown> | undefined {
  if (path === "/version") {
    return { major: "1", minor: "36", gitVersion: "v1.36.3-flock-embedded", platform: "linux/amd64" };
  }
  if (path === "/api") return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
  if (path === "/apis") return { kind: "APIGroupList", apiVersion: "v1", groups: groupsOf(resources) };
  if (path === "/openapi/v3") {
    return {
      paths: Object.fromEntries(resources.map((r) => [pathOf(r), { serverRelativeURL: `/openapi/v3/${pathOf(r)}` }])),
    };
  }
  const described = /^\/openapi\/v3\/(.+)$/.exec(path)?.[1];
  if (described !== undefined) {
    return describeParameters(resources.filter((resource) => pathOf(resource) === described));
  }
  const [, group = "", version] = /^\/api(?:s\/([^/]+))?\/([^/]+)$/.exec(path) ?? [];
  const served = resources.filter((resource) => resource.group === group && resource.version === version);
  const [any] = served;
  if (any === undefined) return undefined;
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: apiVersionOf(any),
    resources: served.flatMap(entriesOf),
  };
}

function groupsOf(resources: readonly Resource[]): Record<string, unknown>[] {
  const names = [...new Set(resources.map(({ group }) => group))].filter((group) => group !== "");
  return names.map((name) => {
    const served = [...new Set(resources.filter(({ group }) => group === name).map(({ version }) => version))];
    const versions = served.map((version) => ({ groupVersion: `${name}/${version}`, version }));
    return { name, versions, preferredVersion: versions[0] };
  });
}

function entriesOf({ plural, singular, kind, namespaced, shortNames, hasStatus }: Resource): Record<string, unknown>[] {
  const entry = { name: plural, singularName: singular, namespaced, kind, shortNames, verbs: VERBS };
  const status = { name: `${plural}/status`, singularName: "", namespaced, kind, verbs: ["get", "patch", "update"] };
  return hasStatus ? [entry, status] : [entry];
}

/** Just enough of OpenAPI for `kubectl apply` to see that the server checks fields itself. */
function describeParameters(resources: readonly Resource[]): Record<string, unknown> {
  const parameters = [{ name: "fieldValidation", in: "query", schema: { type: "string" } }];
  const operations = resources.map(({ group, version, kind, plural }) => {
    const patch = { parameters, "x-kubernetes-group-version-kind": { group, version, kind }, responses: {} };
    return [`/${plural}/{name}`, { patch }];
  });
  return { openapi: "3.0.0", info: { title: "flock lab", version: "v1" }, paths: Object.fromEntries(operations) };
}

/** @returns `api/v1`, `apis/group/version` */
function pathOf(resource: Resource): string {
  return `${resource.group === "" ? "api" : "apis"}/${apiVersionOf(resource)}`;
}
