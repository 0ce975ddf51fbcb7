import { assertEquals } from "@std/assert";
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

/** A node of these pods whose sysctls are as they should be; the clock is the test's. */
function openWatch(): { watch: SettingWatch; settings: Map<string, string>; clock: HandClock } {
  const settings = new Map<string, string>([["ipv4/ip_forward", "1"], ["ipv4/fib_multipath_hash_policy", "1"]]);
  for (const pod of PODS) {
    settings.set(`ipv4/conf/${pod.hostLink}/forwarding`, "1");
    for (const [name, value] of planSysctls(attachmentOf(pod))) settings.set(name, value);
  }
  const clock = new HandClock();
  const network = { addresses: [], defaultRoutes: [], mtus: new Map() };
  const node = { hostState: { blackholes: [], families: [4] as const }, network };
  const watch = new SettingWatch({ ledger: { all: () => PODS }, node, read: (name) => settings.get(name), clock });
  return { watch, settings, clock };
}

Deno.test("SettingWatch names what differs of node and pods, and links that are gone", async () => {
  const { watch, settings, clock } = openWatch();
  const differences = async (): Promise<readonly string[]> => {
    const found = watch.differences();
    await clock.pass(0);
    return await found;
  };
  assertEquals(await differences(), []);
  const [first, last] = [hostLinkName("c0"), hostLinkName("c59")];
  settings.set("ipv4/ip_forward", "0").set(`ipv4/conf/${last}/rp_filter`, "2").delete(`ipv4/conf/${first}/forwarding`);
  assertEquals(await differences(), [
    "ipv4/ip_forward",
    `host link ${first} is missing`,
    `sysctl ipv4/conf/${last}/rp_filter is 2 instead of 0`,
  ]);
});

Deno.test("SettingWatch tells of a change at once, and of what stays so ever less often", async () => {
  const { watch, settings, clock } = openWatch();
  const stop = new AbortController();
  const told: number[] = [];
  let ticks = 0;
  const ran = watch.run({ changed: () => Promise.resolve(void told.push(ticks)), signal: stop.signal });
  const advance = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++) {
      ticks++;
      await clock.pass(1000);
    }
  };
  await advance(3);
  assertEquals(told, []);
  settings.set("ipv4/ip_forward", "0");
  await advance(10);
  assertEquals(told, [4, 5, 7, 11]);
  settings.set("ipv4/fib_multipath_hash_policy", "0");
  await advance(1);
  assertEquals(told.at(-1), 14);
  settings.set("ipv4/ip_forward", "1").set("ipv4/fib_multipath_hash_policy", "1");
  await advance(1);
  settings.set("ipv4/ip_forward", "0");
  await advance(1);
  assertEquals(told.at(-1), 16);
  stop.abort();
  await ran;
});

Deno.test("SettingWatch tells every second of what was mended and is changed again, beside what nobody can mend", async () => {
  const { watch, settings, clock } = openWatch();
  const stop = new AbortController();
  let told = 0;
  const mend = (): Promise<void> => {
    told++;
    settings.set("ipv4/ip_forward", "1");
    return Promise.resolve();
  };
  const ran = watch.run({ changed: mend, signal: stop.signal });
  for (let second = 1; second <= 12; second++) {
    settings.set("ipv4/ip_forward", "0");
    if (second > 6) settings.set("ipv4/fib_multipath_hash_policy", "0");
    await clock.pass(1000);
    assertEquals(told, second);
  }
  stop.abort();
  await ran;
});

Deno.test("SettingWatch goes on after a reading that failed", async () => {
  const { watch, settings, clock } = openWatch();
  const stop = new AbortController();
  let told = 0;
  const ran = watch.run({ changed: () => Promise.resolve(void told++), signal: stop.signal });
  const get = settings.get.bind(settings);
  settings.get = (): never => {
    throw new Error("No such device");
  };
  await clock.pass(2000);
  settings.get = get;
  settings.set("ipv4/ip_forward", "0");
  await clock.pass(1000);
  assertEquals(told, 1);
  stop.abort();
  await ran;
});
