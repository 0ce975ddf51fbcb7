/** What the tests of the store share. */
import type { Clock } from "../clock/clock.ts";
import type { Allocation } from "../ipam/allocation.ts";
import { allocationKey } from "../ipam/allocation.ts";
import type { Logger } from "../log/logger.ts";
import { createDiskFiles } from "./disk_files.ts";
import { openStateStore, type StateStoreOptions } from "./open_state_store.ts";
import type { State, StateStore } from "./state.ts";
import type { StateFiles } from "./state_files.ts";

/** The wall clock of all tests. */
export const NOW = 1_700_000_000_000;
export const stillClock: Clock = {
  monotonic: () => 0,
  wall: () => NOW,
  sleep: () => Promise.reject(new Error("Cannot sleep: nothing here waits")),
};
export const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A logger that keeps its messages. */
export function keepingLogger(): { logger: Logger; messages: string[] } {
  const messages: string[] = [];
  const keep = (message: string): void => void messages.push(message);
  return { logger: { debug: keep, info: keep, warn: keep, error: keep }, messages };
}

/** A directory of the test's own, removed with all that is in it. */
export async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "flock-store-" });
  try {
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** @returns what is in the directory, in order */
export async function namesIn(directory: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(directory), ({ name }) => name)).toSorted();
}

/** The real disk, with files of whoever runs the test counted as our own. */
export async function ownDisk(directory: string): Promise<StateFiles> {
  return createDiskFiles({ owner: (await Deno.lstat(directory)).uid ?? 0 });
}

/** Opens `state.json` in the directory. */
export async function open(directory: string, options: Partial<StateStoreOptions> = {}): Promise<StateStore> {
  return await openStateStore({
    path: `${directory}/state.json`,
    files: options.files ?? await ownDisk(directory),
    clock: stillClock,
    logger: silent,
    bootId: "boot-1",
    nodeName: "node-a",
    ...options,
  });
}

/** The n-th allocation of a node. */
export function allocation(n: number): Allocation {
  return {
    containerId: `c${n}-`.padEnd(64, "0"),
    ifname: "eth0",
    netns: `/run/netns/cni-${n}`,
    hostLink: `flock${n.toString(16).padStart(8, "0")}`,
    podMac: "02:00:00:00:00:01",
    mtu: 1500,
    pod: { namespace: "default", name: `web-${n}`, uid: `uid-${n}` },
    ipv6: `2001:db8::${(n + 1).toString(16)}`,
    ipv4: `10.0.${n >> 8}.${n & 255}`,
    state: "committed",
    createdAt: NOW,
  };
}

/** The change that records an allocation. */
export function adding(added: Allocation): (state: State) => State {
  return (state) => ({ ...state, allocations: new Map(state.allocations).set(allocationKey(added), added) });
}

/** The IPv4 addresses that a store holds. */
export function addresses(store: StateStore): (string | undefined)[] {
  return [...store.current().allocations.values()].map(({ ipv4 }) => ipv4);
}
