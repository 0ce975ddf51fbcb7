/** The agent's rights: what deploy/install.yaml grants is what the code asks for. */
import { assertEquals } from "@std/assert";
import { records } from "../lab/json.ts";
import { productionSources, ROOT } from "../gate/_module_graph.ts";
import { bundled, bundledObjects } from "./objects.ts";

/** No agent may ever have more, whatever its code asks for: `resource verb`. */
const ALLOWED = new Set([
  ...reading(["", "pods"], ["", "namespaces"], ["", "nodes"], ["", "services"]),
  ...reading(["networking.k8s.io", "networkpolicies"], ["networking.k8s.io", "servicecidrs"]),
  ...reading(["flock.fritzlab.net", "nodeconfigs"], ["flock.fritzlab.net", "addressgrants"]),
  ...["pods get", "events create", "events get", "events patch", "nodes/status patch"],
  "flock.fritzlab.net/nodeconfigs/status patch",
]);

function reading(...resources: readonly (readonly [string, string])[]): string[] {
  return resources.flatMap(([group, resource]) => ["list", "watch"].map((verb) => `${named(group, resource)} ${verb}`));
}

function named(group: string, resource: string): string {
  return group === "" ? resource : `${group}/${resource}`;
}

Deno.test("the manifest grants what the code asks for, and no verb outside the list (T-SEC-40)", async () => {
  const granted = await grantedRights();
  assertEquals(granted, await askedRights());
  assertEquals(granted.filter((right) => !ALLOWED.has(right)), []);
});

Deno.test("one role, bound to the agent's service account alone, and no rule wider than its resources (T-SEC-40)", async () => {
  const roles = (await bundledObjects()).filter(({ kind }) => String(kind).includes("Role"));
  assertEquals(roles.map(({ kind }) => kind), ["ClusterRole", "ClusterRoleBinding"]);
  const { subjects, roleRef } = await bundled("ClusterRoleBinding");
  assertEquals(subjects, [{ kind: "ServiceAccount", name: "flock", namespace: "flock-system" }]);
  assertEquals(roleRef, { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "flock" });
  for (const rule of records((await bundled("ClusterRole"))["rules"])) {
    assertEquals(Object.keys(rule).sort(), ["apiGroups", "resources", "verbs"]);
    assertEquals(JSON.stringify(rule).includes("*"), false);
  }
});

async function grantedRights(): Promise<string[]> {
  const rules = records((await bundled("ClusterRole"))["rules"]);
  return rules.flatMap(({ apiGroups, resources, verbs }) =>
    strings(apiGroups).flatMap((group) =>
      strings(resources).flatMap((resource) => strings(verbs).map((verb) => `${named(group, resource)} ${verb}`))
    )
  ).sort();
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** What the sources ask for: each path of the API in them, with the verbs of the calls that the same file makes. */
async function askedRights(): Promise<string[]> {
  const rights = new Set<string>();
  for (const source of await productionSources()) {
    const text = (await Deno.readTextFile(new URL(source, ROOT))).replace(/\/\*\*?[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
    for (const [, path = ""] of text.matchAll(/["`](\/apis?\/[^"`]*)["`]/g)) {
      for (const right of rightsFor(path, text)) rights.add(right);
    }
  }
  return [...rights].sort();
}

function rightsFor(path: string, source: string): string[] {
  const { resource, single } = parsePath(path);
  if (!single) return ["list", "watch"].map((verb) => `${resource} ${verb}`);
  if (resource === "events") return ["create", "get", "patch"].map((verb) => `${resource} ${verb}`);
  return [
    ...(/\bkube\.get\(/.test(source) ? [`${resource} get`] : []),
    ...(/\bpatchStatus\(/.test(source) ? [`${resource}/status patch`] : []),
  ];
}

/** `/apis/GROUP/VERSION/namespaces/${...}/RESOURCE/${...}` */
function parsePath(path: string): { resource: string; single: boolean } {
  const [, core, group = "", rest = ""] = /^\/(?:(api)\/v1|apis\/([^/]+)\/[^/]+)\/(.*)$/.exec(path) ?? [];
  if (core === undefined && group === "") throw new Error(`Cannot tell the resource of ${path}`);
  const [resource = "", name] = rest.replace(/^namespaces\/\$\{[^}]*\}\//, "").split("/");
  return { resource: named(group, resource), single: name !== undefined };
}
