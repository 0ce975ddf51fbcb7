import type { Problem } from "../fault/invalid_input.ts";
import { overlaps, type Prefix } from "../ip/address.ts";
import type { NodeConfig } from "./node_config.ts";

/** What the cluster's other NodeConfigs say against one. */
export interface OthersVerdict {
  /** CIDRs that overlap those of an older NodeConfig: this one is rejected. */
  readonly problems: readonly Problem[];
  /** For a Warning condition: another NodeConfig has the same ASN, and routers drop its routes as loops. */
  readonly warnings: readonly string[];
}

/** Who has which prefixes in use, whatever the specs say now: node name -> what its agent reports as advertised. */
export type Advertised = ReadonlyMap<string, readonly Prefix[]>;

/**
 * Compares a NodeConfig with those of other nodes; its own, by name, is skipped. A prefix that one node has in use and the other has
 * not stays with the first, so that an edit takes nothing from a node in service. Where both or none have it, the younger
 * is at fault, of two of the same age the one whose name sorts later: both nodes' agents judge alike without talking.
 */
export function checkAgainstOthers(
  config: NodeConfig,
  others: Iterable<NodeConfig>,
  advertised: Advertised = new Map(),
): OthersVerdict {
  const strangers = [...others].filter(({ name }) => name !== config.name).sort(byName);
  const problems = [
    ...overlapsOf("cidr6", config, { strangers, advertised }),
    ...overlapsOf("cidr4", config, { strangers, advertised }),
  ];
  const asn = config.bgp?.asn;
  const warnings = strangers.filter((other) => asn !== undefined && other.bgp?.asn === asn).map(({ name }) =>
    `spec.bgp.asn ${asn} is also that of NodeConfig ${name}: routers drop routes between the two as loops`
  );
  return { problems, warnings };
}

function overlapsOf(
  list: "cidr6" | "cidr4",
  config: NodeConfig,
  { strangers, advertised }: { strangers: readonly NodeConfig[]; advertised: Advertised },
): Problem[] {
  return config[list].flatMap((cidr, index) => {
    const weUse = uses(advertised.get(config.name), cidr);
    const clash = strangers.flatMap((other) => {
      const theirs = advertised.get(other.name) ?? [];
      const theyUse = uses(theirs, cidr);
      const loses = theyUse === weUse ? isOlder(other, config) : theyUse;
      return loses ? clashesIn(other, cidr, theyUse ? [...other[list], ...theirs] : other[list]) : [];
    })[0];
    const field = `spec.${list}[${index}]`;
    return clash === undefined ? [] : [{ field, value: cidr.text, rule: `must not overlap ${clash}` }];
  });
}

function uses(advertised: readonly Prefix[] | undefined, cidr: Prefix): boolean {
  return advertised?.some((prefix) => overlaps(prefix, cidr)) ?? false;
}

function clashesIn(other: NodeConfig, cidr: Prefix, theirs: readonly Prefix[]): string[] {
  return theirs.filter((prefix) => overlaps(prefix, cidr)).map(({ text }) => `${text} of NodeConfig ${other.name}`);
}

function isOlder(a: NodeConfig, b: NodeConfig): boolean {
  return a.createdAt !== b.createdAt ? a.createdAt < b.createdAt : a.name < b.name;
}

function byName(a: NodeConfig, b: NodeConfig): number {
  return a.name < b.name ? -1 : 1;
}
