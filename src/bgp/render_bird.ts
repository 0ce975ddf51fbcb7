import { addressOf, bitsOf, compareIp, type Family, type Prefix } from "../ip/address.ts";
import type { AnycastAttributes, RouteAttributes } from "../nodeconfig/node_config.ts";
import type { BirdConfig, BirdPeer } from "./bird_config.ts";
import { checkBirdConfig } from "./check_bird_config.ts";

/** As `compareIp` orders them. */
const FAMILIES: readonly Family[] = [4, 6];

/**
 * BIRD 2's configuration as text: the same bytes for the same input in any order.
 *
 * Two halves. The first holds what resets or reloads something when it changes: router id, filters, sessions. The
 * second holds the static routes, and is all that a pod's coming and going changes. So the export filter names
 * protocols, never prefixes (a changed export filter sends every route again), and a session's text depends on nothing
 * but that peer (a changed session starts anew).
 *
 * Every value is rendered from its number, never from a text that somebody else made, but for passwords, whose characters are
 * checked.
 *
 * @throws InvalidInput when the model holds what BIRD would refuse or misread
 */
export function renderBird(config: BirdConfig): string {
  checkBirdConfig(config);
  const families = FAMILIES.filter((family) => isUsed(config, family));
  const blocks = [
    renderBasics(config),
    // Both kernel protocols, always: with `persist`, one that goes together with its last peer leaves that peer's
    // routes behind.
    ...FAMILIES.map(renderKernel),
    ...families.flatMap((family) => [renderImportFilter(config, family), renderExportFilter(config, family)]),
    ...renderBfd(config),
    ...[...config.peers].sort((a, b) => compareIp(a.address, b.address)).map(renderPeer),
    ...families.flatMap((family) => [
      renderStatic(`aggregates${family}`, family, config.aggregates),
      renderStatic(`hosts${family}`, family, config.hostRoutes),
      renderStatic(`anycast${family}`, family, config.anycastRoutes),
    ]),
  ];
  return `${blocks.join("\n\n")}\n`;
}

function isUsed({ peers, aggregates, hostRoutes, anycastRoutes }: BirdConfig, family: Family): boolean {
  return peers.some((peer) => familiesOf(peer).includes(family)) ||
    [...aggregates, ...hostRoutes, ...anycastRoutes].some((prefix) => prefix.family === family);
}

/** Only where it is used: it opens the ports of BFD. */
function renderBfd({ peers }: BirdConfig): string[] {
  return peers.some(({ bfd }) => bfd !== undefined) ? ["protocol bfd {\n}"] : [];
}

function renderBasics({ routerId }: BirdConfig): string {
  return `# Written by the flock agent; whatever is changed here is lost.
log stderr all;
router id ${addressOf(4, routerId.value).text};
timeformat protocol "%Y-%m-%dT%H:%M:%S%z";
graceful restart wait 20;

protocol device {
}`;
}

/** Import stays empty and `learn` off: what the node announces comes from the statics below, never from the kernel. */
function renderKernel(family: Family): string {
  return `protocol kernel kernel${family} {
  persist;
  graceful restart;
  merge paths on;
  ipv${family} {
    import none;
    export where source = RTS_BGP;
  };
}`;
}

/**
 * A router's copy of a connected prefix would send the neighbours' traffic through the router. A copy of part of the
 * node's own CIDR would beat its blackhole, and a packet to a free address would circle. Single addresses inside it
 * stay welcome: an anycast address may be served by other nodes only, and a local pod's route has the better metric.
 */
function renderImportFilter(config: BirdConfig, family: Family): string {
  const refused = sorted(config.refusedImports, family).map(textOf);
  const own = sorted(config.aggregates, family).map((prefix) => textOf(prefix) + ownPattern(prefix));
  const lines = [...renderRefusal(refused), ...renderRefusal(own)];
  return `filter import${family} {\n${lines.join("")}  accept;\n}`;
}

function ownPattern({ family, length }: Prefix): string {
  return length === bitsOf(family) ? "" : `{${length},${bitsOf(family) - 1}}`;
}

function renderRefusal(patterns: readonly string[]): string[] {
  if (patterns.length === 0) return [];
  return ["  if net ~ [\n", patterns.map((pattern) => `    ${pattern}`).join(",\n"), "\n  ] then reject;\n"];
}

function renderExportFilter({ attributes, peers }: BirdConfig, family: Family): string {
  const { aggregates, anycast } = attributes ?? {};
  return `filter export${family} {
  if proto = "aggregates${family}" then ${renderAcceptance(renderAttributes(aggregates))}
  if proto = "hosts${family}" then accept;
  if proto = "anycast${family}" then ${
    renderAcceptance([...renderAttributes(anycast), ...renderPreference(anycast, peers)])
  }
  reject;
}`;
}

function renderAcceptance(settings: readonly string[]): string {
  if (settings.length === 0) return "accept;";
  return `{\n${[...settings, "accept;"].map((line) => `    ${line}\n`).join("")}  }`;
}

function renderAttributes(attributes: RouteAttributes | undefined): string[] {
  const { communities = [], largeCommunities = [] } = attributes ?? {};
  const add = (list: string, values: readonly (readonly number[])[]): string[] =>
    values.map((value) => `${list}.add((${value.join(", ")}));`);
  return [...add("bgp_community", communities), ...add("bgp_large_community", largeCommunities)];
}

/** The node's own AS number is that of every peer's session. */
function renderPreference(anycast: AnycastAttributes | undefined, [peer]: BirdConfig["peers"]): string[] {
  const { med, prepend = 0 } = anycast ?? {};
  return [
    ...(med === undefined ? [] : [`bgp_med = ${med};`]),
    ...(peer === undefined ? [] : Array.from({ length: prepend }, () => `bgp_path.prepend(${peer.localAsn});`)),
  ];
}

function renderPeer(peer: BirdPeer): string {
  const { address: { family, value }, asn, localAsn, localAddress, gracefulRestart = true, holdTime = 90 } = peer;
  const local = localAddress === undefined ? "" : `${addressOf(family, localAddress.value).text} `;
  return `protocol bgp peer${family}_${value.toString(16).padStart(bitsOf(family) / 4, "0")} {
  local ${local}as ${localAsn};
  neighbor ${addressOf(family, value).text} as ${asn};
${renderOptions(peer)}  graceful restart ${gracefulRestart ? "on" : "off"};
  graceful restart time 120;
  hold time ${holdTime};
  connect delay time 1;
  connect retry time 3;
  error wait time 1, 5;
${familiesOf(peer).map((carried) => renderChannel(peer, carried)).join("")}}`;
}

/** @returns whose routes the session carries */
function familiesOf({ address, extendedNextHop }: BirdPeer): readonly Family[] {
  return extendedNextHop === true ? FAMILIES : [address.family];
}

function renderOptions({ password, multihop, ttlSecurity, bfd }: BirdPeer): string {
  const lines = [
    ...(password === undefined ? [] : [`password "${password}";`]),
    ...(multihop === undefined ? [] : [`multihop ${multihop};`]),
    ...(ttlSecurity === true ? ["ttl security on;"] : []),
    ...(bfd === undefined ? [] : [
      "bfd {",
      `  min rx interval ${bfd.receiveInterval} ms;`,
      `  min tx interval ${bfd.transmitInterval} ms;`,
      `  multiplier ${bfd.multiplier};`,
      "};",
    ]),
  ];
  return lines.map((line) => `  ${line}\n`).join("");
}

/**
 * Of a router several hops away nothing is imported: its next hops are beyond what BIRD knows, which has none of the kernel's own
 * routes, and would become unreachable routes. A limit that is reached must not end the session, which BIRD's default does.
 */
function renderChannel({ address, multihop, importLimit }: BirdPeer, family: Family): string {
  const lines = [
    ...(family === address.family ? [] : ["extended next hop on;"]),
    multihop === undefined ? `import filter import${family};` : "import none;",
    ...(importLimit === undefined ? [] : [`import limit ${importLimit} action block;`]),
    `export filter export${family};`,
    "next hop self;",
  ];
  return `  ipv${family} {\n${lines.map((line) => `    ${line}\n`).join("")}  };\n`;
}

function renderStatic(name: string, family: Family, prefixes: readonly Prefix[]): string {
  const routes = sorted(prefixes, family).map((prefix) => `  route ${textOf(prefix)} blackhole;\n`);
  return `protocol static ${name} {\n  ipv${family};\n${routes.join("")}}`;
}

/** @returns the family's prefixes in order, each once */
function sorted(prefixes: readonly Prefix[], family: Family): Prefix[] {
  const ordered = prefixes.filter((prefix) => prefix.family === family).sort(compareIp);
  return ordered.filter((prefix, i) => compareIp(prefix, ordered[i - 1] ?? { ...prefix, length: -1 }) !== 0);
}

/** Once for each prefix: routers wait for this with every change of a pod. */
function textOf({ family, base, length }: Prefix): string {
  return `${addressOf(family, base).text}/${length}`;
}
