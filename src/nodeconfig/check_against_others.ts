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

/**
 * Compares a NodeConfig with those of other nodes; its own, by name, is skipped. Of two that overlap the younger is at fault, of
 * two of the same age the one whose name sorts later, so that both nodes' agents judge alike without talking.
 */
export function checkAgainstOthers(config: NodeConfig, others: Iterable<NodeConfig>): OthersVerdict {
  const strangers = [...others].filter(({ name }) => name !== config.name).sort(byName);
  const older = strangers.filter((other) => isOlder(other, config));
  const problems = [...overlapsOf("cidr6", config, older), ...overlapsOf("cidr4", config, older)];
  const asn = config.bgp?.asn;
  const warnings = strangers.filter((other) => asn !== undefined && other.bgp?.asn === asn).map(({ name }) =>
    `spec.bgp.asn ${asn} is also that of NodeConfig ${name}: routers drop routes between the two as loops`
  );
  return { problems, warnings };
}

function overlapsOf(list: "cidr6" | "cidr4", config: NodeConfig, older: readonly NodeConfig[]): Problem[] {
  return config[list].flatMap((cidr, index) => {
    const clash = older.flatMap((other) => clashesIn(other, { list, cidr }))[0];
    const field = `spec.${list}[${index}]`;
    return clash === undefined ? [] : [{ field, value: cidr.text, rule: `must not overlap ${clash}` }];
  });
}

function clashesIn(other: NodeConfig, { list, cidr }: { list: "cidr6" | "cidr4"; cidr: Prefix }): string[] {
  return other[list].filter((theirs) => overlaps(theirs, cidr)).map(({ text }) =>
    `${text} of NodeConfig ${other.name}`
  );
}

function isOlder(a: NodeConfig, b: NodeConfig): boolean {
  return a.createdAt !== b.createdAt ? a.createdAt < b.createdAt : a.name < b.name;
}

function byName(a: NodeConfig, b: NodeConfig): number {
  return a.name < b.name ? -1 : 1;
}
