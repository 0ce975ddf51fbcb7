/**
 * nft: the tables `inet flock`, `arp flock` and `inet flock-policy` whole; of policies there are none. Every grant
 * exactly once, nothing foreign in them, nothing missing.
 */
import { renderPolicyTable } from "../../../src/policy/render_policy_table.ts";
import { record, records } from "../../lab/json.ts";
import type { LabNode } from "../../lab/node.ts";
import { compare } from "./compare.ts";
import { type Expectation, familyOf, type Grant, sourcesOf } from "./expectation.ts";
import { ALL_SERVICES, servedBy } from "./services.ts";

/** Chains, rules, counters and sets as flock's release has them, without an element. */
const GOLDEN = new URL("../../../src/nft/testdata/empty.nft", import.meta.url);

/** What policies are compiled to, without a policy. */
const NO_POLICIES = renderPolicyTable({ sets: new Map(), chains: new Map(), pods: new Map() });
const OWN = ["flock", "flock-policy"];

/** Sets whose elements are flock's to give; `neighbor_rate` fills and empties itself. */
const FILLED = ["own4", "own6", "pods4", "pods6"];

/** What changes by itself, is compared on its own, or is never the same twice. */
const VOLATILE = ["handle", "elem", "packets", "bytes"];

export interface GuardSight {
  /** Everything in flock's tables but elements, and of a chain's rules their order. */
  readonly objects: readonly string[];
  /** `inet own4 flock00000001 192.0.2.7`, `inet pods4 192.0.2.0/24`. */
  readonly elements: readonly string[];
  /** All of others' tables. */
  readonly foreign: readonly string[];
}

/** @returns flock's tables as this node's nft shows them, when nothing is in their sets; nothing of the node changes */
export async function readGolden(node: LabNode): Promise<GuardSight> {
  const script = "unshare --net sh -c 'nft -f - && nft -j list ruleset'";
  return parseGuard(
    await node.output(["sh", "-c", script], { stdin: `${await Deno.readTextFile(GOLDEN)}${NO_POLICIES}` }),
  );
}

/** @param ruleset what `nft -j list ruleset` wrote */
export function parseGuard(ruleset: string): GuardSight {
  const objects: string[] = [];
  const elements: string[] = [];
  const foreign: string[] = [];
  const rulesOf = new Map<string, number>();
  for (const entry of records(record(JSON.parse(ruleset))["nftables"])) {
    for (const [kind, value] of Object.entries(entry)) {
      const body = record(value);
      if (kind === "metainfo") continue;
      const chain = `${body["family"]} ${body["table"]} ${body["chain"]}`;
      const place = kind === "rule" ? ` ${rulesOf.get(chain) ?? 0}` : "";
      if (kind === "rule") rulesOf.set(chain, (rulesOf.get(chain) ?? 0) + 1);
      const own = OWN.includes(String(kind === "table" ? body["name"] : body["table"]));
      const hidden = own ? VOLATILE : VOLATILE.filter((key) => key !== "elem");
      const kept = Object.fromEntries(Object.entries(body).filter(([key]) => !hidden.includes(key)));
      (own ? objects : foreign).push(`${kind}${place} ${JSON.stringify(kept)}`);
      if (own && kind === "set") elements.push(...elementsOf(body));
    }
  }
  return { objects, elements, foreign };
}

function elementsOf({ family, name, elem }: Record<string, unknown>): string[] {
  if (!FILLED.includes(String(name)) || !Array.isArray(elem)) return [];
  return elem.map((element) => `${family} ${name} ${describeElement(element)}`);
}

function describeElement(element: unknown): string {
  const { concat, prefix } = record(element);
  const { addr, len } = record(prefix);
  if (Array.isArray(concat)) return concat.join(" ");
  if (addr !== undefined) return `${addr}/${len}`;
  return typeof element === "string" ? element : JSON.stringify(element);
}

/**
 * @param expected `owed`: of allocations that are not yet collected, whose grants may be there or not; `told`: the API
 * server's statuses, by
 *   which nodes know of each other's anycast addresses, are those of now
 */
export function judgeGuard(
  { objects, elements }: GuardSight,
  expected: Pick<Expectation, "live" | "prefixes" | "others" | "elsewhere"> & {
    readonly golden: GuardSight;
    readonly owed: readonly Grant[];
    readonly told: boolean;
  },
): string[] {
  const { live, prefixes, others, elsewhere, golden, owed, told } = expected;
  const served = [...new Set([...servedBy(live).keys(), ...elsewhere.keys()])];
  const services = (told ? served : []).map(podsElement);
  const pods = [...prefixes, ...others.keys()].map(podsElement);
  return [
    ...compare("flock's nft tables", objects, golden.objects),
    ...compare(
      "elements of nft",
      elements,
      [...sourcesOf(live).flatMap(elementsFor), ...pods, ...services],
      new Set([...owed.flatMap(elementsFor), ...(told ? [] : ALL_SERVICES.map(podsElement))]),
    ),
  ];
}

function podsElement(prefix: string): string {
  return `inet pods${familyOf(prefix)} ${prefix}`;
}

/** An IPv4 address is granted to packets and to ARP. */
function elementsFor({ address, link }: Grant): string[] {
  return familyOf(address) === 4
    ? [`inet own4 ${link} ${address}`, `arp own4 ${link} ${address}`]
    : [`inet own6 ${link} ${address}`];
}
