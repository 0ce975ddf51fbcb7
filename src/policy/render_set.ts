/**
 * Sets and maps of the table as nft reads them: what stands behind `table ... {`, or behind `add` with the table's name
 * put in.
 */
import type { Family } from "../ip/address.ts";
import { podChainName } from "./names.ts";
import type { Direction } from "./network_policy.ts";
import type { IsolatedPod, PolicySetType } from "./policy_table.ts";

const ADDRESS_TYPE: Readonly<Record<Family, string>> = { 4: "ipv4_addr", 6: "ipv6_addr" };
const ADDRESS_FIELD: Readonly<Record<Family, string>> = { 4: "ip", 6: "ip6" };
const ELEMENT = /^(?:"flock[0-9a-f]{8}"|[0-9a-f.:]{2,39})(?: \. \d{1,5})?$/;

/** @returns the set's body: type and elements */
export function renderSetBody(type: PolicySetType, elements: Iterable<string>): string {
  return renderBody(renderType(type), renderElements(elements));
}

/** @returns the elements in order, without braces. @throws TypeError for one of which nft could read something else */
export function renderElements(elements: Iterable<string>): string {
  return sortElements(elements).join(", ");
}

/** @returns the elements in order. @throws TypeError for one of which nft could read something else */
export function sortElements(elements: Iterable<string>): string[] {
  const sorted = [...elements].sort();
  const odd = sorted.find((element) => !ELEMENT.test(element));
  if (odd !== undefined) throw new TypeError(`Cannot render element ${JSON.stringify(odd)}: not of a policy's set`);
  return sorted;
}

/** @returns the body of the direction's map: from the links of the pods that are isolated in it to their chains */
export function renderMapBody(direction: Direction, pods: Iterable<readonly [link: string, pod: IsolatedPod]>): string {
  const links = [...pods].flatMap(([link, { chains }]) => (chains[direction] === undefined ? [] : [link]));
  const elements = links.sort().map((link) => `"${link}" : goto ${podChainName(link, direction)}`);
  return renderBody("type ifname : verdict;", elements.join(", "));
}

function renderBody(type: string, elements: string): string {
  return elements === "" ? `{ ${type} }` : `{ ${type} elements = { ${elements} }; }`;
}

function renderType(type: PolicySetType): string {
  if (type.kind === "address") return `type ${ADDRESS_TYPE[type.family]};`;
  if (type.kind === "linkPort") return `typeof oifname . ${type.protocol} dport;`;
  return `typeof ${ADDRESS_FIELD[type.family]} daddr . ${type.protocol} dport;`;
}
