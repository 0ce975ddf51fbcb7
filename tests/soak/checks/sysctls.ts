/** Sysctls of host ends and of the node (spec section 6), written out here a second time. */
import { hostLinkName } from "../../../src/hash/container_hash.ts";
import { compare } from "./compare.ts";
import { type Expectation, familyOf } from "./expectation.ts";
import type { KernelSight } from "./kernel.ts";

const IPV4: readonly (readonly [string, string])[] = [
  ["forwarding", "1"],
  ["accept_redirects", "0"],
  ["send_redirects", "0"],
  ["rp_filter", "0"],
  ["proxy_arp", "0"],
  ["route_localnet", "0"],
];
const IPV6: readonly (readonly [string, string])[] = [
  ["disable_ipv6", "0"],
  ["forwarding", "1"],
  ["accept_ra", "0"],
  ["accept_redirects", "0"],
  ["autoconf", "0"],
];
const WITHOUT_IPV6: readonly (readonly [string, string])[] = [["disable_ipv6", "1"]];

/** Those of the node itself, besides what forwarding changes for every link. */
const OF_NODE = [
  "ipv4/ip_forward = 1",
  "ipv4/fib_multipath_hash_policy = 1",
  "ipv6/fib_multipath_hash_policy = 1",
  "ipv6/conf/all/forwarding = 1",
];

export function judgeSysctls({ sysctls }: Pick<KernelSight, "sysctls">, { live }: Pick<Expectation, "live">): string[] {
  const wanted = [
    ...OF_NODE,
    ...live.flatMap(({ id, addresses }) => {
      const six = addresses.some((address) => familyOf(address) === 6) ? IPV6 : WITHOUT_IPV6;
      return [
        ...IPV4.map(([name, value]) => `ipv4/conf/${hostLinkName(id)}/${name} = ${value}`),
        ...six.map(([name, value]) => `ipv6/conf/${hostLinkName(id)}/${name} = ${value}`),
      ];
    }),
  ];
  const names = new Set(wanted.map((line) => line.slice(0, line.indexOf(" "))));
  const actual = [...sysctls].filter(([name]) => names.has(name)).map(([name, value]) => `${name} = ${value}`);
  return compare("sysctls", actual, wanted);
}
