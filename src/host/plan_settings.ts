/** The sysctls that a node needs for its pods. Pure. */
import type { HostNetwork, HostState } from "./host_driver.ts";

/** To be set only where every link that must go on listening was told to. */
export const FORWARDING6 = "ipv6/conf/all/forwarding";

/** A sysctl below net/, with slashes, and its value. */
export type Setting = readonly [name: string, value: string];

/** @returns the value, or undefined when this kernel, or this link, has no such sysctl */
export type ReadSetting = (name: string) => string | undefined;

/**
 * What differs, in the order in which it has to be set: a node whose default route comes from router advertisements stops listening
 * to them when forwarding goes on, unless `accept_ra` is 2 by then (Documentation/networking/ip-sysctl.rst).
 */
export function planSettings(state: HostState, { network, read }: {
  readonly network: HostNetwork;
  readonly read: ReadSetting;
}): Setting[] {
  const { families } = state;
  const ipv6: Setting[] = [
    ...listeners(network, read).map((link): Setting => [acceptRa(link), "2"]),
    [FORWARDING6, "1"],
    ["ipv6/fib_multipath_hash_policy", "1"],
  ];
  const ipv4: Setting[] = [["ipv4/ip_forward", "1"], ["ipv4/fib_multipath_hash_policy", "1"]];
  const wanted = [...(families.includes(6) ? ipv6 : []), ...(families.includes(4) ? ipv4 : [])];
  return wanted.filter(([name, value]) => read(name) !== value);
}

/**
 * Links on which the node listens to router advertisements now, and would not under forwarding: those with a default route from one,
 * and before forwarding is on, all that listen. The router's first one may come later than the agent.
 *
 * Left alone where `accept_ra` is 0: somebody else than the kernel listens there (systemd-networkd does). And where there is
 * none, for a link may have gone since it was read.
 */
function listeners({ defaultRoutes, mtus }: HostNetwork, read: ReadSetting): string[] {
  const advertised = defaultRoutes.filter((route) => route.fromRouterAdvertisement).map(({ link }) => link);
  const forwards = read(FORWARDING6) === "1";
  const listening = forwards ? [] : [...mtus.keys()].filter((link) => read(`ipv6/conf/${link}/forwarding`) === "0");
  return [...new Set([...advertised, ...listening])].filter((link) => read(acceptRa(link)) === "1");
}

function acceptRa(link: string): string {
  return `ipv6/conf/${link}/accept_ra`;
}
