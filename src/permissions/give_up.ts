import { GRANTED, PERMISSION_KINDS, type PermissionKind, type PermissionSet } from "./permission_sets.ts";

/** Gives up every permission, for good. What is open stays open. */
export function giveUpEverything(): void {
  for (const name of PERMISSION_KINDS) Deno.permissions.revokeSync({ name });
  giveUpUnlisted();
}

/**
 * Gives up every permission that the set does not name, for good.
 *
 * A kind that is granted without limit cannot be narrowed to a list afterwards (revoking a part of "all" is no
 * operation that Deno has): it is kept as it is when the set lists anything of that kind.
 */
export function keepOnly(keep: PermissionSet): void {
  for (const kind of PERMISSION_KINDS) narrow(kind, keep[kind] ?? false);
  giveUpUnlisted();
}

/** Gives up what is left of a kind, for good. */
export function giveUpKind(kind: PermissionKind): void {
  Deno.permissions.revokeSync({ name: kind });
}

function narrow(kind: PermissionKind, keep: readonly string[] | boolean): void {
  if (keep === false) Deno.permissions.revokeSync({ name: kind });
  const granted = GRANTED[kind];
  if (typeof keep === "boolean" || typeof granted !== "object") return;
  for (const name of granted) {
    if (!isKept(name, keep)) Deno.permissions.revokeSync(descriptorOf(kind, name));
  }
}

/** To revoke a path below a kept directory would take the directory away as well. */
function isKept(name: string, keep: readonly string[]): boolean {
  return keep.some((kept) => name === kept || name.startsWith(`${kept}/`));
}

function giveUpUnlisted(): void {
  Deno.permissions.revokeSync({ name: "ffi" });
  Deno.permissions.revokeSync({ name: "import" });
}

function descriptorOf(kind: PermissionKind, name: string): Deno.PermissionDescriptor {
  switch (kind) {
    case "env":
      return { name: kind, variable: name };
    case "net":
      return { name: kind, host: name };
    case "run":
      return { name: kind, command: name };
    case "sys":
      throw new TypeError(`Cannot give up sys ${name}: not narrowed anywhere`);
    case "read":
    case "write":
      return { name: kind, path: name };
  }
}
