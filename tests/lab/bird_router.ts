/** A second router, BIRD, in any place on the nodes' subnet: takes a session from every node, whatever its AS. */
import type { Family } from "../../src/ip/address.ts";
import type { Place } from "./place.ts";
import { exists, until } from "./until.ts";
import { ROUTER_ASN } from "./topology.ts";

const CONFIG = "/etc/second.conf";
const SOCKET = "/run/second.ctl";

/** Starts it. What it hears is in its kernel at once, several next hops of one prefix as one route. Resolves when it has its socket. */
export async function startBirdRouter(place: Place, { routerId }: { readonly routerId: string }): Promise<void> {
  const families: readonly Family[] = [4, 6];
  const head = `log stderr all;\nrouter id ${routerId};\nprotocol device {}\n`;
  await place.write(CONFIG, `${head}${families.map(renderFamily).join("")}`);
  await place.spawn("bird", ["/usr/sbin/bird", "-f", "-c", CONFIG, "-s", SOCKET]);
  await until("the second router has its socket", () => exists(place.outside(SOCKET)));
}

function renderFamily(family: Family): string {
  return `
protocol bgp nodes${family} {
  local as ${ROUTER_ASN};
  neighbor range ${family === 4 ? "192.0.2.0/24" : "2001:db8:1::/64"} external;
  ipv${family} { import all; export none; };
}
protocol kernel { merge paths on; ipv${family} { import none; export all; }; }
`;
}
