/** What becomes of a kernel's routes, as it happens. */
import { parseAddress, parsePrefix } from "../../src/ip/address.ts";
import type { Place } from "./place.ts";
import { until } from "./until.ts";

export interface RouteEvent {
  /** When `ip` heard of it, in milliseconds since the epoch. */
  readonly at: number;
  readonly prefix: string;
  readonly deleted: boolean;
}

export interface RouteWatch extends AsyncDisposable {
  /** @returns all changes of unicast routes so far, in their order */
  events(): Promise<readonly RouteEvent[]>;
}

const LINE =
  /^\[(.*?)(\.\d+)\] (Deleted )?(?!local |broadcast |anycast |multicast )(?:blackhole )?(\S+) .*\b(?:dev|nhid|proto) /;

/** Starts `ip monitor` in the place. Resolves when it hears. */
export async function watchRoutes(place: Place): Promise<RouteWatch> {
  const name = `routes-${crypto.randomUUID().slice(0, 8)}`;
  const daemon = await place.spawn(name, ["ip", "-ts", "monitor", "route"]);
  const probe = "192.0.2.255/32";
  const events = async (): Promise<RouteEvent[]> => parseRouteEvents(await daemon.readLog().catch(() => ""));
  await until("ip monitor hears", async () => {
    await place.output(["ip", "route", "replace", "blackhole", probe, "proto", "99"]);
    await place.output(["ip", "route", "del", "blackhole", probe, "proto", "99"]);
    return (await events()).length > 0;
  });
  return {
    events: async () => (await events()).filter(({ prefix }) => prefix !== probe),
    [Symbol.asyncDispose]: async () => void await daemon.stop("SIGTERM", 1000),
  };
}

/** @param log of `ip -ts monitor route`, whose clock is the machine's in this process's own time zone */
export function parseRouteEvents(log: string): RouteEvent[] {
  return log.split("\n").flatMap((line) => {
    const [, seconds = "", fraction = "", deleted, destination = ""] = LINE.exec(line) ?? [];
    const prefix = prefixOf(destination);
    if (prefix === undefined) return [];
    return [{ at: Date.parse(seconds) + 1000 * Number(fraction), prefix, deleted: deleted !== undefined }];
  });
}

/** The routes of one address are written without a length. */
function prefixOf(text: string): string | undefined {
  const address = parseAddress(text);
  return address === undefined ? parsePrefix(text)?.text : `${address.text}/${address.family === 4 ? 32 : 128}`;
}
