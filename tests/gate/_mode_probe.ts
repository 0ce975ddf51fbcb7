/**
 * Gives up what the mode that is its first argument gives up, and prints what of its second argument, a list of
 * descriptors, is still granted.
 */
import { giveUpKind, keepOnly } from "../../src/permissions/give_up.ts";
import { type Mode, PERMISSION_SETS } from "../../src/permissions/permission_sets.ts";

function probe(mode: Mode, descriptors: readonly Deno.PermissionDescriptor[]): void {
  keepOnly(PERMISSION_SETS[mode]);
  if (mode !== "agent" && mode !== "inspect") giveUpKind("net");
  const granted = descriptors.filter((each) => Deno.permissions.querySync(each).state === "granted");
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(granted)));
}

const [mode = "", descriptors = "[]"] = Deno.args;
if (mode === "agent" || mode === "install" || mode === "uninstall" || mode === "inspect") {
  probe(mode, JSON.parse(descriptors));
}
