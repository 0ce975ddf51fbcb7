/** Every route of flock's protocol and of BIRD's, in whatever table. */
import { bitsOf } from "../../../src/ip/address.ts";
import { compare } from "./compare.ts";
import { type Expectation, familyOf, grantsOf } from "./expectation.ts";
import { describeRoute, type KernelSight, type Row } from "./kernel.ts";
import { describeServiceRoute, describeServices, heardOf, isService } from "./services.ts";

const FLOCKS = "70";
/** Networks beside nodes' prefixes that the router tells nodes of, with its address. */
export const HEARD: ReadonlyMap<string, string> = new Map([
  ["198.51.100.0/24", "192.0.2.1"],
  ["2001:db8:c::/64", "2001:db8:1::1"],
]);

export function judgeRoutes(
  { routes }: Pick<KernelSight, "routes">,
  expected: Pick<Expectation, "live" | "prefixes" | "others" | "elsewhere">,
): string[] {
  const { live, prefixes, others } = expected;
  const of = (protocol: string, describe: (route: Row) => string): string[] =>
    routes.filter((route) => route["protocol"] === protocol).map(describe);
  const pods = grantsOf(live).map(({ address, link }) =>
    `unicast ${address} dev ${link} table main proto ${FLOCKS} scope ${scopeOf(address, "link")} metric 20`
  );
  const blackholes = prefixes.map((prefix) =>
    `blackhole ${prefix}${familyOf(prefix) === 6 ? " dev lo" : ""} table main proto ${FLOCKS} scope global metric 20`
  );
  const heard = [...others, ...HEARD, ...heardOf(expected).certain].map(([prefix, hop]) =>
    `unicast ${prefix} via ${hop} dev up0 table main proto bird scope global metric 32`
  );
  return [
    ...compare("flock's routes", of(FLOCKS, describeOwn), [
      ...pods,
      ...blackholes,
      ...describeServices(live),
    ]),
    ...compare("BIRD's routes in the kernel", of("bird", describeRoute), heard),
  ];
}

function describeOwn(route: Row): string {
  return isService(route["dst"]) ? describeServiceRoute(route) : describeRoute(route);
}

/** IPv6 knows no scope of routes. */
function scopeOf(address: string, scope4: string): string {
  return familyOf(address) === 4 ? scope4 : "global";
}

/** @returns `192.0.2.7/32` */
export function asPrefix(address: string): string {
  return `${address}/${bitsOf(familyOf(address))}`;
}
