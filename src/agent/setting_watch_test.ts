import { assert, assertEquals } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { hostLinkName } from "../hash/container_hash.ts";
import type { Allocation } from "../ipam/allocation.ts";
import { planSysctls } from "../link/plan_attachment.ts";
import { attachmentOf } from "./attachment_state.ts";
import { SettingWatch } from "./setting_watch.ts";

const PODS = Array.from({ length: 60 }, (_, index): Allocation => ({
  ...{ containerId: `c${index}`, ifname: "eth0", netns: `/run/netns/c${index}`, hostLink: hostLinkName(`c${index}`) },
  ...{ podMac: "02:00:00:00:00:01", mtu: 1500, ipv4: `10.0.0.${index}`, state: "committed", createdAt: 0 },
}));
const RIGHT = new Map([["ipv4/ip_forward", "1"], ["ipv4/fib_multipath_hash_policy", "1"]]);
for (const pod of PODS) {
  RIGHT.set(`ipv4/conf/${pod.hostLink}/forwarding`, "1");
  for (const [name, value] of planSysctls(attachmentOf(pod))) RIGHT.set(name, value);
}

interface Opened extends AsyncDisposable {
  readonly settings: Map<string, string>;
  readonly clock: HandClock;
  /** When it told that something had changed, in milliseconds. */
  readonly told: number[];
  /** Most sysctls that were read without a break. */
  readonly longest: number;
  /** How often it said that it needs nothing else any more. */
  readonly rounds: number;
  /** Whether those who are told put everything right. */
  mends: boolean;
}

/** A watch that runs, on a node whose sysctls are as they should be; the clock is the test's. */
function openWatch(pods: () => readonly Allocation[] = () => PODS): Opened {
  const settings = new Map(RIGHT);
  const clock = new HandClock();
  const stop = new AbortController();
  let [inOneGo, at, longest, rounds] = [0, 0, 0, 0];
  const watch = new SettingWatch({
    ledger: { all: () => [...pods()] },
    node: {
      hostState: { blackholes: [], families: [4] },
      network: { addresses: [], defaultRoutes: [], mtus: new Map() },
    },
    read: (name) => {
      inOneGo = at === clock.monotonic() ? inOneGo + 1 : 1;
      at = clock.monotonic();
      longest = Math.max(longest, inOneGo);
      return settings.get(name);
    },
    letGo: () => void rounds++,
    clock,
  });
  const opened = {
    ...{ settings, clock, told: [] as number[], mends: false },
    get longest() {
      return longest;
    },
    get rounds() {
      return rounds;
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      stop.abort();
      await ran;
    },
  };
  const changed = (): Promise<void> => {
    opened.told.push(clock.monotonic());
    if (opened.mends) { for (const [name, value] of RIGHT) settings.set(name, value); }
    return Promise.resolve();
  };
  const ran = watch.run({ changed, signal: stop.signal });
  return opened;
}

Deno.test("SettingWatch tells within a second of whatever differs of node and pods, and of links that are gone", async () => {
  const [first, last] = [hostLinkName("c0"), hostLinkName("c59")];
  const alterations: ((settings: Map<string, string>) => void)[] = [
    (settings) => settings.set("ipv4/ip_forward", "0"),
    (settings) => settings.set(`ipv4/conf/${last}/rp_filter`, "2"),
    (settings) => settings.delete(`ipv4/conf/${first}/forwarding`),
  ];
  await using watch = openWatch();
  watch.mends = true;
  for (const alter of alterations) {
    await watch.clock.pass(3_000);
    assertEquals(watch.told.splice(0), []);
    const at = watch.clock.monotonic();
    alter(watch.settings);
    await watch.clock.pass(1_000);
    const [told = Infinity, ...more] = watch.told.splice(0);
    assert(told - at <= 1_000, `after ${told - at} ms`);
    assertEquals(more, []);
  }
});

Deno.test("SettingWatch spreads what it reads over the second, each once", async () => {
  await using watch = openWatch();
  const reads = PODS.length * (planSysctls(attachmentOf(PODS[0] ?? fail())).length + 1) + 2;
  await watch.clock.pass(10_000);
  assertEquals(watch.rounds, 10);
  assert(watch.longest < 0.45 * reads, `${watch.longest} of ${reads} in one go`);
});

Deno.test("SettingWatch tells of what stays wrong ever less often, up to once a minute, and of news at once", async () => {
  await using watch = openWatch(() => PODS.slice(0, 5));
  watch.settings.set("ipv4/ip_forward", "0");
  await watch.clock.pass(250_000);
  const seconds = (): number[] => watch.told.splice(0).map((ms) => ms / 1000);
  assertEquals(seconds(), [1, 2, 4, 8, 16, 32, 64, 124, 184, 244]);
  watch.settings.set("ipv4/fib_multipath_hash_policy", "0");
  await watch.clock.pass(2_000);
  assertEquals(seconds(), [251, 252]);
  watch.settings.set("ipv4/ip_forward", "1").set("ipv4/fib_multipath_hash_policy", "1");
  await watch.clock.pass(100_000);
  assertEquals(seconds(), []);
  watch.settings.set("ipv4/ip_forward", "0");
  await watch.clock.pass(1_000);
  assertEquals(seconds(), [353]);
});

Deno.test("SettingWatch tells every second of what was mended and is changed again, beside what nobody can mend", async () => {
  await using watch = openWatch();
  watch.mends = true;
  const link = hostLinkName("c59");
  for (let second = 1; second <= 12; second++) {
    watch.settings.set("ipv4/ip_forward", "0");
    if (second > 6) RIGHT.set(`ipv4/conf/${link}/rp_filter`, "2");
    await watch.clock.pass(1_000);
  }
  RIGHT.set(`ipv4/conf/${link}/rp_filter`, "0");
  assert(watch.told.length >= 12, String(watch.told));
});

Deno.test("SettingWatch does not miss the link of a pod that went during the round", async () => {
  const pods = new Set(PODS);
  await using watch = openWatch(() => [...pods]);
  await watch.clock.pass(1_100);
  const [last = fail()] = PODS.slice(-1);
  pods.delete(last);
  watch.settings.delete(`ipv4/conf/${last.hostLink}/forwarding`);
  await watch.clock.pass(3_000);
  assertEquals(watch.told, []);
});

Deno.test("SettingWatch goes on after a reading that failed", async () => {
  await using watch = openWatch();
  const { settings } = watch;
  const get = settings.get.bind(settings);
  settings.get = (): never => {
    throw new Error("No such device");
  };
  await watch.clock.pass(2_000);
  settings.get = get;
  settings.set("ipv4/ip_forward", "0");
  await watch.clock.pass(1_000);
  assertEquals(watch.told.length, 1);
});

function fail(): never {
  throw new Error("Cannot test: there are no pods");
}
