/** BIRD's own tables: the statics that must be, what it tells its peers, and what it heard of them. */
import type { LabNode } from "../../lab/node.ts";
import { compare } from "./compare.ts";
import { type Expectation, familyOf } from "./expectation.ts";
import { asPrefix, HEARD } from "./routes.ts";
import { heardOf, servedBy } from "./services.ts";

export interface BirdSight {
  /** `198.18.0.0/22 blackhole aggregates4`, `198.18.4.0/22 unicast peer4 via 192.0.2.11 on up0`. */
  readonly routes: readonly string[];
  /** `peer4 198.18.0.0/22`, what goes to a peer. */
  readonly exported: readonly string[];
  /** `peer4_c0000201 Established`. */
  readonly sessions: readonly string[];
}

export async function readBird(node: LabNode): Promise<BirdSight> {
  const [routes, protocols] = await Promise.all([node.birdc("show route"), node.birdc("show protocols")]);
  const sessions = parseSessions(protocols);
  const exported = await Promise.all(sessions.map(async (session) => {
    const [name = ""] = session.split(" ");
    return prefixesIn(await node.birdc(`show route export ${name}`)).map((prefix) => `${kindOf(name)} ${prefix}`);
  }));
  return { routes: parseBirdRoutes(routes), exported: exported.flat(), sessions };
}

/** @param text what `show route` writes: the prefix stands only before the first of its routes */
export function parseBirdRoutes(text: string): string[] {
  const routes: string[] = [];
  let prefix = "";
  for (const line of text.split("\n")) {
    const [, named, type, protocol] = /^(\S+)?\s+(unicast|blackhole|unreachable|prohibit)\s+\[(\S+)\s/.exec(line) ?? [];
    const [, hop] = /^\tvia (\S+ on \S+)/.exec(line) ?? [];
    if (type !== undefined) {
      prefix = named ?? prefix;
      routes.push(`${prefix} ${type} ${kindOf(protocol ?? "")}`);
    } else if (hop !== undefined) routes.push(`${routes.pop()} via ${hop}`);
  }
  return routes;
}

function parseSessions(text: string): string[] {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  return lines.filter(([, protocol]) => protocol === "BGP").map((words) => `${words[0]} ${words.at(-1)}`).sort();
}

function prefixesIn(text: string): string[] {
  return parseBirdRoutes(text).map((route) => route.split(" ")[0] ?? "");
}

/** @returns the protocol's name without its peer's address */
function kindOf(protocol: string): string {
  return protocol.replace(/_.*$/, "");
}

export function judgeBird(
  { routes, exported, sessions }: BirdSight,
  expected: Pick<Expectation, "live" | "prefixes" | "others" | "elsewhere">,
): string[] {
  const { prefixes, others, live } = expected;
  const served = [...servedBy(live).keys()].map(asPrefix);
  const { certain, possible } = heardOf(expected);
  const statics = prefixes.map((prefix) => `${prefix} blackhole aggregates${familyOf(prefix)}`);
  const hosts = served.map((prefix) => `${prefix} blackhole anycast${familyOf(prefix)}`);
  const hear = ([prefix, hop]: readonly [string, string]): string =>
    `${prefix} unicast peer${familyOf(prefix)} via ${hop} on up0`;
  const hearHost = ([address, hop]: readonly [string, string]): string => hear([asPrefix(address), hop]);
  const heard = [...[...others, ...HEARD].map(hear), ...[...certain].map(hearHost)];
  return [
    ...compare("BIRD's routes", routes, [...statics, ...hosts, ...heard], new Set(possible.map(hearHost))),
    ...compare(
      "exports of BIRD",
      exported,
      [...prefixes, ...served].map((prefix) => `peer${familyOf(prefix)} ${prefix}`),
    ),
    ...compare("BIRD's sessions", sessions.map((session) => session.replace(/_\S+/, "")), [
      "peer4 Established",
      "peer6 Established",
    ]),
  ];
}
