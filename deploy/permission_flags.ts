import { PERMISSION_KINDS, type PermissionSet } from "../src/permissions/permission_sets.ts";

/**
 * Renders a permission set as flags of `deno run` and `deno compile`, since a compiled file and Deno before 2.9 read no sets.
 *
 * @param version of the Deno that gets the flags; before 2.9 a unix socket was no net permission, and naming one is refused
 */
export function renderPermissionFlags(set: PermissionSet, version: string): string[] {
  return PERMISSION_KINDS.flatMap((kind) => {
    const allowed = set[kind] ?? false;
    if (typeof allowed === "boolean") return allowed ? [`--allow-${kind}`] : [];
    const names = knowsUnixNet(version) ? allowed : allowed.filter((name) => !name.startsWith("unix:"));
    return names.length === 0 ? [] : [`--allow-${kind}=${names.join(",")}`];
  });
}

function knowsUnixNet(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 2 || (major === 2 && minor >= 9);
}
