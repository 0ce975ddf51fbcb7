/** What the agent's drivers do, by themselves. All times in milliseconds. */
import { createBirdDriver } from "../../src/bird/system_bird_driver.ts";
import { systemClock } from "../../src/clock/clock.ts";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import type { Allocation } from "../../src/ipam/allocation.ts";
import type { Logger } from "../../src/log/logger.ts";
import { BIRD_CONFIG, STATE_DIR } from "../../src/paths/paths.ts";
import { createDiskFiles } from "../../src/store/disk_files.ts";
import { openStateStore } from "../../src/store/open_state_store.ts";
import { replaceFile } from "../../src/store/replace_file.ts";

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const STORED_PODS = 250;

/** So many durable writes make one sample. */
const WRITES = 20;
/** Of the state of STORED_PODS pods, about. */
const STATE_BYTES = 100_000;

/** Nothing but what makes a write durable, one after the other, on the disk that the agent's file is on. @returns writes a second */
export function createDiskWriter(): () => Promise<number> {
  const files = createDiskFiles();
  const write = { path: `${STATE_DIR}/bench-disk`, content: new Uint8Array(STATE_BYTES).fill(0x20) };
  return async () => {
    const start = performance.now();
    for (let n = 0; n < WRITES; n++) await replaceFile(files, write);
    return 1000 * WRITES / (performance.now() - start);
  };
}

/** Writes what an ADD writes on a full node, to the disk that the agent's own file is on. */
export async function createStateWriter(): Promise<() => Promise<number>> {
  const store = await openStateStore({
    path: `${STATE_DIR}/bench.json`,
    files: createDiskFiles(),
    clock: systemClock,
    logger: SILENT,
    bootId: crypto.randomUUID(),
    nodeName: "bench",
  });
  const put = (n: number): Promise<void> =>
    store.update((state) => ({ ...state, allocations: new Map(state.allocations).set(`${n}/eth0`, allocation(n)) }));
  await Promise.all(Array.from({ length: STORED_PODS }, (_, n) => put(n)));
  return async () => {
    const start = performance.now();
    await put(0);
    return performance.now() - start;
  };
}

function allocation(n: number): Allocation {
  const id = n.toString(16).padStart(8, "0");
  return {
    ...{ containerId: id.repeat(8), ifname: "eth0", netns: `/run/netns/cni-${id}`, hostLink: `flock${id}`, mtu: 9000 },
    ...{ podMac: "02:00:5e:00:53:02", ipv6: `2001:db8:be::${n + 1}`, ipv4: `198.19.${n >> 8}.${n & 255}` },
    ...{ pod: { namespace: "default", name: `pod-${n}`, uid: crypto.randomUUID() }, createdAt: Date.now() },
    state: "committed",
  };
}

/** Adds a host route to the configuration that the agent wrote, and takes it away again. */
export function createBirdReloader(): () => Promise<number> {
  const driver = createBirdDriver({ runner: createSystemRunner(), clock: systemClock, logger: SILENT });
  return async () => {
    const before = await Deno.readTextFile(BIRD_CONFIG);
    const start = performance.now();
    await expectApplied(driver.apply(before.replace(/\}\s*$/, "  route 2001:db8:be::1/128 blackhole;\n}\n")));
    const ms = performance.now() - start;
    await expectApplied(driver.apply(before));
    return ms;
  };
}

async function expectApplied(outcome: ReturnType<ReturnType<typeof createBirdDriver>["apply"]>): Promise<void> {
  const { applied } = await outcome;
  if (!applied) throw new Error("Cannot count a reload: BIRD did not apply it");
}
