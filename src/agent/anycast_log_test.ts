import { assert, assertEquals } from "@std/assert";
import type { AnycastDecision, AnycastRefusal } from "../anycast/resolve_anycast.ts";
import { parseAddress } from "../ip/address.ts";
import { createLogger } from "../log/logger.ts";
import { AnycastLog } from "./anycast_log.ts";

const VIP = parseAddress("192.0.2.53");
assert(VIP !== undefined);

function decide(owner: string, reason?: AnycastRefusal): AnycastDecision {
  assert(VIP !== undefined);
  return reason === undefined ? { address: VIP, owner, serves: true } : { address: VIP, owner, serves: false, reason };
}

Deno.test("AnycastLog writes a line for each pod that begins or ceases to serve an address, with the reason, and none at the start", () => {
  const lines: string[] = [];
  const write = (line: string): void => {
    const { address, pod, now, was = "new", advertised } = JSON.parse(line);
    lines.push(`${address} ${pod} ${was}->${now} ${advertised}`);
  };
  const log = new AnycastLog(createLogger(write, { level: "info", now: () => 0 }));
  const after = (...anycast: AnycastDecision[]): string[] => {
    const advertised = anycast.some(({ serves }) => serves) ? ["192.0.2.53/32"] : [];
    log.told({ anycast, advertised });
    return lines.splice(0);
  };
  assertEquals(after(decide("ns/a")), []);
  assertEquals(after(decide("ns/a")), []);
  assertEquals(after(decide("ns/a", "notReady"), decide("ns/b")), [
    "192.0.2.53 ns/a serves->notReady true",
    "192.0.2.53 ns/b new->serves true",
  ]);
  assertEquals(after(decide("ns/a", "terminating")), [
    "192.0.2.53 ns/a notReady->terminating false",
    "192.0.2.53 ns/b serves->gone false",
  ]);
  // Of a sandbox that is replaced there are two decisions, and one of them serves.
  assertEquals(after(decide("ns/a", "pending"), decide("ns/a")), ["192.0.2.53 ns/a terminating->serves true"]);
  assertEquals(after(decide("ns/a"), decide("ns/a", "terminating")), []);
  assertEquals([after(), after()], [["192.0.2.53 ns/a serves->gone false"], []]);
});
