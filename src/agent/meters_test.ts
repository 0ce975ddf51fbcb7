import { assertEquals, assertRejects } from "@std/assert";
import { CniError } from "../cnispec/cni_error.ts";
import { parseAddress } from "../ip/address.ts";
import { parsePod } from "../pod/parse_pod.ts";
import type { Pod } from "../pod/pod.ts";
import type { Observer } from "../prometheus/metric_registry.ts";
import type { State, StateStore } from "../store/state.ts";
import { DropMeter } from "./drop_meter.ts";
import { FlipMeter } from "./flip_meter.ts";
import type { NodeView } from "./node_reconciler.ts";
import { OperationMeter } from "./operation_meter.ts";
import { StateMeter } from "./state_meter.ts";
import { logger } from "./_agent_fixture.ts";

/** Goes on at once, for what only reads it. */
class StepClock {
  #now = 0;

  monotonic = (): number => this.#now;

  pass(ms: number): void {
    this.#now += ms;
  }
}

/** Notes what it is told: `label value seconds`. */
function noting(): { took: Observer; told: string[] } {
  const told: string[] = [];
  const took = {
    observe: (labels: Readonly<Record<string, string>>, seconds: number): void =>
      void told.push([...Object.values(labels), seconds].join(" ")),
  };
  return { took, told };
}

Deno.test("OperationMeter times each operation by verb and result, counts codes, and hands on answer and error as they are", async () => {
  const [clock, { took, told }] = [new StepClock(), noting()];
  const meter = new OperationMeter({ took, clock });
  const refusal = new CniError(11, "full");
  const handle = meter.measure((request, length) => {
    clock.pass(250);
    if (request === "odd") return Promise.resolve("answered");
    if (JSON.stringify(request).includes("DEL")) return Promise.reject(new Error("bug"));
    return length === 1 ? Promise.resolve("done") : Promise.reject(refusal);
  });
  assertEquals(await handle({ verb: "ADD" }, 1), "done");
  assertEquals(await assertRejects(() => handle({ verb: "ADD" }, 2), CniError), refusal);
  await assertRejects(() => handle({ verb: "ADD" }, 2), CniError);
  await assertRejects(() => handle({ verb: "DEL" }, 1), Error, "bug");
  assertEquals(await handle("odd", 1), "answered");
  await assertRejects(() => handle({ verb: "x".repeat(1000) }, 2), CniError);
  assertEquals(told, ["ADD success 0.25", "ADD error 0.25", "ADD error 0.25", "DEL error 0.25"]);
  assertEquals(meter.errors.filter(({ count }) => count > 0), [
    { verb: "ADD", code: 11, count: 2 },
    { verb: "DEL", code: 999, count: 1 },
  ]);
  assertEquals(meter.errors.filter(({ count }) => count === 0).map(({ verb, code }) => `${verb} ${code}`), [
    ...["ADD 5", "ADD 101", "ADD 999"],
  ]);
});

Deno.test("StateMeter times what changes something, counts refusals, and knows whether the last update is on the disk", async () => {
  const [clock, { took, told }] = [new StepClock(), noting()];
  const empty: State = { allocations: new Map(), resting: [], tombstones: [], cursors: new Map() };
  let refuses = false;
  const store: StateStore = {
    origin: { found: "absent" },
    current: () => empty,
    update: (change) => {
      change(empty);
      clock.pass(20);
      return refuses ? Promise.reject(new Error("no space")) : Promise.resolve();
    },
  };
  const meter = new StateMeter(store, { took, clock });
  await meter.update((state) => ({ ...state }));
  await meter.update((state) => state);
  assertEquals([told, meter.failures, meter.lastFailure], [["0.02"], 0, undefined]);
  refuses = true;
  await assertRejects(() => meter.update((state) => ({ ...state })), Error, "no space");
  assertEquals([told, meter.failures, meter.lastFailure], [["0.02"], 1, "Error: no space"]);
  refuses = false;
  await meter.update((state) => state);
  assertEquals([meter.failures, meter.lastFailure, meter.current(), meter.origin.found], [
    ...[1, undefined, empty, "absent"],
  ]);
});

interface FlipScene {
  readonly clock: StepClock;
  readonly told: string[];
  /** The watch tells of the pod; undefined: it is gone. */
  hear(pod: { ready: boolean; anycast?: boolean; terminating?: boolean } | undefined, name?: string): void;
  /** BIRD was told; pod -> whether it serves. */
  tell(claims: Readonly<Record<string, boolean>>, applied?: boolean): void;
}

function openFlips(): FlipScene {
  const [clock, { took, told }, items] = [new StepClock(), noting(), new Map<string, Pod>()];
  let bell: (changed: ReadonlySet<string>) => void = () => {};
  const onChange = (listener: typeof bell): () => void => {
    bell = listener;
    return () => {};
  };
  const meter = new FlipMeter({ pods: { items, onChange }, took, clock });
  const address = parseAddress("192.0.2.53");
  if (address === undefined) throw new Error("no address");
  return {
    ...{ clock, told },
    hear: (pod, name = "dns") => {
      const key = `ns/${name}`;
      if (pod === undefined) items.delete(key);
      else items.set(key, podOf(name, pod));
      bell(new Set([key]));
    },
    tell: (claims, applied = true) => {
      const anycast: NodeView["anycast"] = Object.entries(claims).map(([name, serves]) =>
        serves ? { address, owner: `ns/${name}`, serves } : { address, owner: `ns/${name}`, serves, reason: "notReady" }
      );
      meter.told({ anycast, bird: applied ? { applied } : { applied, reason: "unreachable", message: "" } });
    },
  };
}

function podOf(name: string, { ready, anycast = true, terminating = false }: {
  ready: boolean;
  anycast?: boolean;
  terminating?: boolean;
}): Pod {
  const pod = parsePod({
    metadata: {
      ...{ namespace: "ns", name, uid: name },
      annotations: anycast ? { "flock.fritzlab.net/anycast": "192.0.2.53" } : {},
      ...(terminating ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
    spec: { containers: [{ name: "a", image: "a" }] },
    status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  });
  if (pod === undefined) throw new Error("no pod");
  return pod;
}

Deno.test("FlipMeter times a flip from the watch to the first configuration that has it, not to one that was under way", () => {
  const scene = openFlips();
  scene.hear({ ready: false });
  scene.hear({ ready: true });
  scene.clock.pass(30);
  scene.tell({ dns: false }); // rendered before
  scene.tell({ dns: true }, false); // BIRD has not heard it
  scene.clock.pass(10);
  scene.tell({ dns: true });
  scene.tell({ dns: true });
  assertEquals(scene.told, ["advertise 0.04"]);
  scene.hear({ ready: true, terminating: true });
  scene.clock.pass(5);
  scene.tell({ dns: false });
  assertEquals(scene.told, ["advertise 0.04", "withdraw 0.005"]);
});

Deno.test("FlipMeter takes no flip for what is none: the first list, pods without anycast, other changes, pods that are gone", () => {
  const scene = openFlips();
  scene.hear({ ready: true });
  scene.tell({ dns: true });
  scene.hear({ ready: true });
  scene.hear({ ready: true, anycast: false }, "web");
  scene.tell({ dns: true, web: true });
  scene.hear(undefined);
  scene.tell({}); // its DEL came first
  scene.hear({ ready: false });
  scene.tell({ dns: false });
  assertEquals(scene.told, []);
});

Deno.test("DropMeter adds up by reason, over tables that are replaced and pods that go, and looks at most every 5 s", async () => {
  const clock = new StepClock();
  const guard = new Map([["spoofed4", { packets: 2, bytes: 0 }]]);
  const policies = new Map([
    ["to_flock0000000a", { packets: 5, bytes: 0 }],
    ["from_flock0000000a", { packets: 1, bytes: 0 }],
    ["to_flock0000000b", { packets: 10, bytes: 0 }],
  ]);
  let looks = 0;
  const tables = [guard, policies].map((table) => ({
    counters: () => {
      looks++;
      return Promise.resolve(new Map(table));
    },
  }));
  const meter = new DropMeter({ tables, clock, logger });
  await meter.look();
  await meter.look();
  assertEquals(looks, 2);
  assertEquals(Object.fromEntries(meter.totals), { spoofed4: 2, policy_ingress: 15, policy_egress: 1 });
  guard.set("spoofed4", { packets: 1, bytes: 0 }); // replaced, and counted one
  policies.delete("to_flock0000000b");
  policies.set("to_flock0000000a", { packets: 7, bytes: 0 });
  clock.pass(5_000);
  await meter.look();
  assertEquals(Object.fromEntries(meter.totals), { spoofed4: 3, policy_ingress: 17, policy_egress: 1 });
  assertEquals(meter.pods, [
    { link: "flock0000000a", direction: "ingress", packets: 7 },
    { link: "flock0000000a", direction: "egress", packets: 1 },
  ]);
});

Deno.test("DropMeter keeps its sums, and says so once a look, when nft fails", async () => {
  const clock = new StepClock();
  const tables = [{ counters: () => Promise.reject(new Error("no nft")) }];
  const warnings: string[] = [];
  const meter = new DropMeter({ tables, clock, logger: { ...logger, warn: (message) => void warnings.push(message) } });
  await meter.look();
  assertEquals([warnings, meter.totals.size], [["dropped packets not counted"], 0]);
});
