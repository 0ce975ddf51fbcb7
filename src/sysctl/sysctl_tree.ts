/** The kernel's network settings as files. */
import { quote } from "../fault/invalid_input.ts";

/**
 * The sysctls below `/proc/sys/net`, named with slashes: `ipv4/conf/eth0.7/rp_filter`, because a link's name may hold dots.
 * Synchronous: one costs some 15 us, less than a trip through the event loop.
 */
export interface SysctlTree {
  /** @returns the value without its newline, or undefined when this kernel, or this link, has no such sysctl */
  read(name: string): string | undefined;
  /** Sets the value. @throws when there is no such sysctl or the kernel refuses the value */
  write(name: string, value: string): void;
}

const NAME = /^[\w:@%+.-]+(\/[\w:@%+.-]+)*$/;

/** @param root where `/proc/sys/net` can be opened: Deno opens nothing below /proc itself with less than all permissions */
export function createSysctlTree(root: string): SysctlTree {
  const pathOf = (name: string): string => `${root}/${checkName(name)}`;
  return {
    read: (name) => readValue(pathOf(name), name),
    write: (name, value) => writeValue(pathOf(name), { name, value }),
  };
}

/** @returns the name. @throws when it is none below net/ */
export function checkName(name: string): string {
  const climbs = name.split("/").some((part) => part === "." || part === "..");
  if (climbs || !NAME.test(name)) throw new Error(`Cannot use sysctl ${quote(name)}: not a name below net/`);
  return name;
}

function readValue(path: string, name: string): string | undefined {
  try {
    return Deno.readTextFileSync(path).trimEnd();
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot read sysctl ${quote(name)}: the kernel refuses`, { cause });
  }
}

function writeValue(path: string, setting: { name: string; value: string }): void {
  try {
    Deno.writeTextFileSync(path, setting.value, { create: false });
  } catch (cause) {
    const state = cause instanceof Deno.errors.NotFound ? "there is no such sysctl" : "the kernel refuses";
    throw new Error(`Cannot set sysctl ${quote(setting.name)} to ${quote(setting.value)}: ${state}`, { cause });
  }
}
