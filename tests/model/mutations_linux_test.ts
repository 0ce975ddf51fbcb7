/** Agents with one thing wrong with them: the model finds each within a tenth of its schedules. Not of Linux alone, but too long for the gate. */
import { assert } from "@std/assert";
import type { NodeParts } from "../../src/agent/assemble_node.ts";
import { PATIENCE } from "../../src/agent/garbage_collector.ts";
import { type Ipam, PoolExhausted } from "../../src/ipam/ipam.ts";
import { parsePrefix, type Prefix } from "../../src/ip/address.ts";
import type { StateStore } from "../../src/store/state.ts";
import { MemoryGround } from "./memory_ground.ts";
import { runSchedules } from "./run_schedules.ts";
import type { Parts } from "./life.ts";

const SCHEDULES = 10_000;
const SEED = 1;

function ipamWith(ipam: Ipam, other: Partial<Ipam>): Ipam {
  return {
    allocate: (requests) => ipam.allocate(requests),
    take: (address) => ipam.take(address),
    release: (address, freedAt) => ipam.release(address, freedAt),
    undo: (address) => ipam.undo(address),
    setCursor: (cidr, last) => ipam.setCursor(cidr, last),
    cursors: () => ipam.cursors(),
    resting: () => ipam.resting(),
    usage: (cidr) => ipam.usage(cidr),
    ...other,
  };
}

function storeWith(store: StateStore, other: Partial<StateStore>): StateStore {
  return { origin: store.origin, current: () => store.current(), update: (change) => store.update(change), ...other };
}

function widened({ family, base, length }: Prefix): Prefix {
  const shorter = parsePrefix(family === 4 ? "0.0.0.0/0" : "::/0");
  assert(shorter !== undefined);
  return { ...shorter, text: `${base}/${length}` };
}

function oneFamilyAtLeast(ipam: Ipam): Ipam["allocate"] {
  return (requests) => {
    try {
      return ipam.allocate(requests);
    } catch (error) {
      if (!(error instanceof PoolExhausted) || requests.length < 2) throw error;
      return ipam.allocate(requests.slice(0, 1));
    }
  };
}

const GC_LIST = "cni.dev/valid-attachments";

/** One verb is answered in another way. */
function answering(
  node: NodeParts,
  verb: string,
  answer: (raw: unknown, handle: (raw: unknown) => Promise<unknown>) => Promise<unknown>,
): NodeParts {
  const handle = node.service.handle.bind(node.service);
  node.service.handle = (raw, ...more) => Object(raw).verb === verb ? answer(raw, handle) : handle(raw, ...more);
  return node;
}

const MUTATIONS: Readonly<Record<string, Partial<Parts>>> = {
  "a freed address does not rest": { ipam: (ipam) => ipamWith(ipam, { release: (address) => ipam.undo(address) }) },
  "rests are forgotten at a restart": {
    store: (store) => {
      store.update((state) => ({ ...state, resting: [] })).catch(() => {});
      return store;
    },
  },
  "answers come before the write": {
    store: (store) =>
      storeWith(store, {
        update: (change) => {
          store.update(change).catch(() => {});
          return Promise.resolve();
        },
      }),
  },
  "directories are not synced": { files: (files) => ({ ...files, syncDirectory: () => Promise.resolve() }) },
  "records are forgotten at a crash, and the kernel is not asked": {
    store: (store) => {
      store.update((state) => ({ ...state, allocations: new Map() })).catch(() => {});
      return store;
    },
    node: (node) => ({ ...node, recover: () => Promise.resolve() }),
  },
  "nothing is recovered": { node: (node) => ({ ...node, recover: () => Promise.resolve() }) },
  "notes of DELs are not read": {
    node: (node) => {
      node.tombstones.replay = node.tombstones.catchUp = () => Promise.resolve();
      return node;
    },
  },
  "a late ADD is not noticed": {
    node: (node, { clock }) => {
      const handle = node.service.handle.bind(node.service);
      node.service.handle = (raw, ...more) => handle({ ...Object(raw), startedAt: clock.wall() }, ...more);
      return node;
    },
  },
  "reserved addresses are given": {
    ipam: (ipam) =>
      ipamWith(ipam, {
        allocate: (requests) =>
          ipam.allocate(requests.map((request) => ({
            ...request,
            ranges: request.ranges.map(({ range, nodeCidr }) => ({ range, nodeCidr: widened(nodeCidr) })),
          }))),
      }),
  },
  "one family is thought to do": { ipam: (ipam) => ipamWith(ipam, { allocate: oneFamilyAtLeast(ipam) }) },
  "addresses in use are not taken back": { ipam: (ipam) => ipamWith(ipam, { take: () => true }) },
  "deletions are not recorded": {
    store: (store) =>
      storeWith(store, {
        update: (change) =>
          store.update((state) => {
            const next = change(state);
            return { ...next, allocations: new Map([...state.allocations, ...next.allocations]) };
          }),
      }),
  },
  "garbage is never collected": {
    node: (node) => {
      node.collector.sweep = () => Promise.resolve();
      return node;
    },
  },
  "links that are gone stay gone": {
    node: (node) => {
      node.restorer.restore = () => Promise.resolve();
      return node;
    },
  },
  "nobody watches what others do": { bell: () => () => Promise.resolve() },
  "CHECK passes whatever it finds": { node: (node) => answering(node, "CHECK", () => Promise.resolve()) },
  "the verb GC does nothing": {
    node: (node) => {
      node.collector.collectAllBut = () => Promise.resolve();
      return node;
    },
  },
  "GC without a list frees everything": {
    node: (node) =>
      answering(node, "GC", (raw, handle) => {
        const config = Object(Object(raw).config);
        if (GC_LIST in config) return handle(raw);
        const nobody = [{ containerID: "nobody", ifname: "eth0" }];
        return handle({ ...Object(raw), config: { ...config, [GC_LIST]: nobody } });
      }),
  },
  "the collector takes the young": { patience: { ...PATIENCE, graceMs: 0 } },
  "the collector believes what it sees once": { patience: { ...PATIENCE, confirmMs: 0 } },
  "whatever has no record is removed": {
    node: (node, { driver }) => ({
      ...node,
      recover: async () => {
        const unknown = (await driver.list()).filter(({ hostLink }) => node.ledger.holderOf(hostLink) === undefined);
        await driver.detach(unknown.map(({ hostLink }) => hostLink));
        await node.recover();
      },
    }),
  },
};

for (const [wrong, parts] of Object.entries(MUTATIONS)) {
  Deno.test(`the model notices when ${wrong}`, async () => {
    const how = { ground: () => new MemoryGround(), schedules: SCHEDULES, seed: SEED, shrinks: false };
    const { failure, schedules } = await runSchedules({ ...how, parts });
    assert(failure !== undefined, `not in ${schedules} schedules`);
    if (Deno.args.includes("--show")) {
      await Deno.stdout.write(new TextEncoder().encode(`${schedules}: ${failure.split("\n")[0]}\n`));
    }
  });
}
