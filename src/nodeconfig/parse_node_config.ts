import { contains, type Family, overlaps, parseInterfaceAddress } from "../ip/address.ts";
import { type Prefix, prefixOf } from "../ip/address.ts";
import { LOG_LEVELS } from "../log/logger.ts";
import { LONGEST_TEXT, readBgp } from "./_bgp_reader.ts";
import { FieldReader, type Fields } from "./_field_reader.ts";
import { readMetrics } from "./_metrics_reader.ts";
import { SPECIAL_RANGES } from "./_special_ranges.ts";
import type { Bgp, NodeConfig } from "./node_config.ts";

const MAX_CIDRS = 8;
const MTU = { min: 576, max: 65535 };
const MIN_IPV6_MTU = 1280; // RFC 8200 section 5
const LONGEST_CIDR = { 4: 30, 6: 127 };
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const IP_ALGO = "flock.fritzlab.net/ip-algo";

/**
 * Reads a NodeConfig as the API server sends it. Repeats every rule of crds/nodeconfig.yaml, CEL rules included: the agent also
 * meets objects older than a rule, and servers that evaluate none.
 *
 * @param raw any JSON; fields that flock does not know are ignored
 * @throws InvalidInput with every problem found
 */
export function parseNodeConfig(raw: unknown): NodeConfig {
  const reader = new FieldReader();
  const object = reader.object("NodeConfig", raw);
  const identity = readIdentity(reader, reader.object("metadata", object["metadata"]));
  const spec = reader.object("spec", object["spec"]);
  const [cidr6, cidr4] = [readCidrs(reader, spec, 6), readCidrs(reader, spec, 4)];
  const switches = reader.object("spec.defaults", spec["defaults"]);
  const defaults = {
    ipv6: reader.boolean("spec.defaults.ipv6", switches["ipv6"], true),
    ipv4: reader.boolean("spec.defaults.ipv4", switches["ipv4"], true),
  };
  const mtu = reader.optionalInteger("spec.mtu", spec["mtu"], MTU);
  const portmap = reader.boolean("spec.portmap", spec["portmap"], false);
  const metrics = readMetrics(reader, spec["metrics"]);
  const logLevel = reader.word("spec.logLevel", spec["logLevel"], LOG_LEVELS) ?? "info";
  const bgp = readBgp(reader, spec["bgp"]);
  refuseNoFamily(reader, spec, { cidr6, cidr4, defaults });
  if (mtu !== undefined && mtu < MIN_IPV6_MTU && cidr6.length > 0) {
    reader.refuse("spec.mtu", mtu, `must be at least ${MIN_IPV6_MTU} while cidr6 is set`);
  }
  refusePeersInside(reader, { cidr6, cidr4, peers: bgp?.peers ?? [] });
  reader.finish();
  const optional = { ...(mtu === undefined ? {} : { mtu }), ...(metrics && { metrics }), ...(bgp && { bgp }) };
  return { ...identity, cidr6, cidr4, defaults, portmap, logLevel, ...optional };
}

type Identity = Pick<NodeConfig, "name" | "uid" | "generation" | "createdAt" | "ipAlgo">;

function readIdentity(reader: FieldReader, metadata: Fields): Identity {
  const name = reader.text("metadata.name", metadata["name"]) ?? "";
  if (name !== "" && !NAME.test(name)) reader.refuse("metadata.name", name, "must be a DNS subdomain (RFC 1123)");
  const uid = reader.text("metadata.uid", metadata["uid"]) ?? "";
  const generation = reader.integer("metadata.generation", metadata["generation"], {
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
  });
  const created = metadata["creationTimestamp"];
  const createdAt = typeof created === "string" && /^\d{4}-/.test(created) ? Date.parse(created) : NaN;
  if (Number.isNaN(createdAt)) reader.refuse("metadata.creationTimestamp", created, "must be a time (RFC 3339)");
  const ipAlgo = reader.object("metadata.annotations", metadata["annotations"])[IP_ALGO];
  const identity = { name, uid, generation: generation ?? 0, createdAt };
  return typeof ipAlgo === "string" ? { ...identity, ipAlgo } : identity;
}

function readCidrs(reader: FieldReader, spec: Fields, family: Family): Prefix[] {
  const list = `cidr${family}`;
  const cidrs: Prefix[] = [];
  for (const { field, value } of reader.list(`spec.${list}`, spec[list], MAX_CIDRS)) {
    const cidr = readCidr(reader, { field, value, family });
    const other = cidr && cidrs.find((other) => overlaps(other, cidr));
    if (other !== undefined) reader.refuse(field, value, `must not overlap ${other.text} of the same list`);
    else if (cidr !== undefined) cidrs.push(cidr);
  }
  return cidrs;
}

function readCidr(
  reader: FieldReader,
  { field, value, family }: { field: string; value: unknown; family: Family },
): Prefix | undefined {
  const refuse = (rule: string): undefined => reader.refuse(field, value, rule);
  const parsed = typeof value === "string" && value.length <= LONGEST_TEXT ? parseInterfaceAddress(value) : undefined;
  if (parsed?.address.family !== family) return refuse(`must be an IPv${family} CIDR`);
  const cidr = prefixOf(parsed.address, parsed.length);
  if (cidr.base !== parsed.address.value) return refuse(`must not have host bits set: ${cidr.text} has none`);
  if (cidr.length > LONGEST_CIDR[family]) return refuse(`must be /${LONGEST_CIDR[family]} or wider`);
  const special = SPECIAL_RANGES.find((range) => overlaps(range, cidr));
  return special === undefined ? cidr : refuse(`must hold no addresses of ${special.text}`);
}

/** What was written counts, not what was good: a list whose only entry is broken is not also reported as missing. */
function refuseNoFamily(
  reader: FieldReader,
  spec: Fields,
  { cidr6, cidr4, defaults }: Pick<NodeConfig, "cidr6" | "cidr4" | "defaults">,
): void {
  if (reader.problems.some(({ field }) => field.startsWith("spec.cidr") || field.startsWith("spec.defaults"))) return;
  if (cidr6.length === 0 && cidr4.length === 0) {
    reader.refuse("spec", spec, "needs at least one CIDR in cidr6 or cidr4");
  } else if (!(defaults.ipv6 && cidr6.length > 0) && !(defaults.ipv4 && cidr4.length > 0)) {
    reader.refuse("spec.defaults", spec["defaults"], "must leave an address family that has a CIDR");
  }
}

function refusePeersInside(
  reader: FieldReader,
  { cidr6, cidr4, peers }: Pick<NodeConfig, "cidr6" | "cidr4"> & Pick<Bgp, "peers">,
): void {
  for (const [list, cidrs] of [["cidr6", cidr6], ["cidr4", cidr4]] as const) {
    for (const cidr of cidrs) {
      const peer = peers.find(({ address }) => contains(cidr, address));
      if (peer) reader.refuse(`spec.${list}`, cidr.text, `must not contain the BGP peer ${peer.address.text}`);
    }
  }
}
