import config from "../../deno.json" with { type: "json" };

/** The kinds of permission that a mode may have. None ever has `ffi` or `import`. */
export const PERMISSION_KINDS = ["env", "net", "read", "run", "sys", "write"] as const;
export type PermissionKind = typeof PERMISSION_KINDS[number];

/** kind -> what is allowed: a list of names or paths, or true for everything; absent: nothing */
export type PermissionSet = { readonly [kind in PermissionKind]?: readonly string[] | boolean };

export type Mode = "plugin" | "agent" | "install" | "uninstall" | "inspect";

/** One set per mode. The `permissions` of deno.json are the only place that lists them. */
export const PERMISSION_SETS: Readonly<Record<Mode, PermissionSet>> = config.permissions;

/** What the executable is granted: what any mode needs. Each mode gives up the rest as its first act. */
export const GRANTED: PermissionSet = unionOf(Object.values(PERMISSION_SETS));

/** @returns the set that allows what any of the sets allows */
export function unionOf(sets: readonly PermissionSet[]): PermissionSet {
  const union: { [kind in PermissionKind]?: readonly string[] | boolean } = {};
  for (const kind of PERMISSION_KINDS) {
    const values = sets.map((set) => set[kind] ?? []);
    const lists = values.map((value) => typeof value === "boolean" ? [] : value);
    const names = [...new Set(lists.flat())];
    if (values.includes(true)) union[kind] = true;
    else if (names.length > 0) union[kind] = names;
  }
  return union;
}
