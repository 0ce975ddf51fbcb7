import { assertEquals } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import type { Hearing } from "../exec/command_runner.ts";
import { createLogger } from "../log/logger.ts";
import { TransactionMark } from "../nft/transaction_mark.ts";
import { GUARD_TABLES } from "../nft/guard_model.ts";
import { watchDrift } from "./drift_watch.ts";
import { SettingWatch } from "./setting_watch.ts";

const OWN = 10;
const STRANGER = 11;
const POLICIES = 12;
const mark = new TransactionMark("1f3a", GUARD_TABLES);
const policyMark = new TransactionMark("1f3a", ["inet flock-policy"]);
const GRANT = 'add element inet flock own4 { "flock0badcafe" . 10.0.0.8 }';

interface World {
  /** What had to be looked at, in order. */
  readonly rung: string[];
  readonly clock: HandClock;
  /** A transaction of these lines, as nft monitor tells of it. */
  commit(pid: number, lines: readonly string[]): void;
  end(): Promise<void>;
}

/** A watch over monitors that say what a test lets them say; the guard's process is OWN, the policies' POLICIES. */
function openWorld(): World {
  const clock = new HandClock();
  const stop = new AbortController();
  const rung: string[] = [];
  const monitors = new Map<string, Hearing>();
  const commit: World["commit"] = (pid, lines) => {
    for (const line of [...lines, `# new generation 7 by process ${pid} (nft)`]) monitors.get("nft")?.hear(line);
  };
  const ledger = { all: () => [] };
  const node = { network: undefined, hostState: undefined };
  const logger = createLogger(() => {}, { level: "error", now: () => 0 });
  const done = watchDrift({
    source: {
      follow: (argv, hearing) => {
        monitors.set(argv[0], hearing);
        return new Promise((resolve) => hearing.signal.addEventListener("abort", () => resolve("killed")));
      },
    },
    ...{ ip: "ip", nft: "nft", ledger, clock, logger },
    writers: [
      {
        mark,
        ticks: { sure: "guard", unsure: "guard" },
        sign: () => Promise.resolve(commit(OWN, mark.process.split("; "))),
      },
      {
        mark: policyMark,
        ticks: { sure: "policies", unsure: "policies?" },
        sign: () => Promise.resolve(commit(POLICIES, policyMark.process.split("; "))),
      },
    ],
    settings: new SettingWatch({ ledger, node, read: () => undefined, letGo: () => {}, clock }),
    ...{ node, routes: { left: () => new Map() } },
  }, { signal: stop.signal, ring: (tick) => Promise.resolve(void rung.push(tick)) });
  const end = async (): Promise<void> => {
    stop.abort();
    await done;
  };
  return { rung, clock, commit, end };
}

Deno.test("watchDrift() suspects nobody of what the agent's own nft does in the monitor's first moments", async () => {
  const world = openWorld();
  await world.clock.pass(10);
  world.commit(OWN, [GRANT]); // it signed before the monitor listened
  await world.clock.pass(5_000);
  world.commit(OWN, [GRANT]);
  await world.clock.pass(5_000);
  assertEquals(world.rung.filter((tick) => tick === "guard"), []);
  await world.end();
});

Deno.test("watchDrift() forgets no change of others, also from the monitor's first moments", async () => {
  const world = openWorld();
  await world.clock.pass(10);
  world.commit(STRANGER, [GRANT]);
  await world.clock.pass(290); // it is taken to listen, and the guard signs
  assertEquals(world.rung.filter((tick) => tick === "guard"), []);
  await world.clock.pass(1_000);
  assertEquals(world.rung.filter((tick) => tick === "guard").length, 1);
  world.commit(STRANGER, [GRANT]);
  await world.clock.pass(1_000);
  assertEquals(world.rung.filter((tick) => tick === "guard").length, 2);
  await world.end();
});

Deno.test("watchDrift() tells which table others have changed, and asks for no look at what the two writers do", async () => {
  const world = openWorld();
  const ELEMENT = 'add element inet flock-policy ingress_pods { "flock0badcafe" : goto to_flock0badcafe }';
  await world.clock.pass(5_000);
  world.rung.length = 0;
  world.commit(POLICIES, [ELEMENT]);
  world.commit(OWN, [GRANT]);
  world.commit(STRANGER, ["add table inet flock-other"]);
  await world.clock.pass(2_000);
  assertEquals(world.rung, []);
  world.commit(STRANGER, [ELEMENT]);
  await world.clock.pass(1_000);
  assertEquals(world.rung, ["policies"]);
  world.commit(STRANGER, ["delete table inet flock-policy", "delete table inet flock"]);
  await world.clock.pass(1_000);
  assertEquals(world.rung, ["policies", "guard", "policies"]);
  world.commit(STRANGER, []);
  await world.clock.pass(1_000);
  assertEquals(world.rung.slice(3), ["guard", "policies?"], "nothing that nft could show");
  await world.end();
});
