import { parseAddress, parsePrefix } from "../ip/address.ts";
import { GUARD_SETS } from "./guard_model.ts";
import { type Fields, isFields, listObjects } from "./list_objects.ts";

/** The tables as `nft -j list table inet flock` and `nft -j list table arp flock` show them. */
export interface FoundTables {
  /**
   * Every chain, rule, set and counter: name for a reader, with its family -> what identifies it. Handles are part of
   * that: the kernel never gives one twice, so an object with the same handle is the same object, whatever its text
   * would look like in another nft.
   */
  readonly objects: ReadonlyMap<string, string>;
  /** family and set, such as `arp own4` -> elements, written as in GuardModel. Only the sets that flock fills. */
  readonly elements: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What changes by itself, or is compared on its own. */
const VOLATILE = ["elem", "packets", "bytes"];

/** @param lists what nft wrote, table by table. @throws when it is not what nft writes */
export function parseGuard(lists: readonly string[]): FoundTables {
  const objects = new Map<string, string>();
  const elements = new Map<string, ReadonlySet<string>>();
  for (const [kind, body] of lists.flatMap(listObjects)) {
    if (kind === "metainfo") continue;
    objects.set(describe(kind, body), JSON.stringify(withoutVolatile(body)));
    if (kind === "set" && isFilled(body)) elements.set(qualify(body, "name"), parseElements(body["elem"]));
  }
  return { objects, elements };
}

function describe(kind: string, body: Fields): string {
  return kind === "rule"
    ? `rule ${body["handle"]} of chain ${qualify(body, "chain")}`
    : `${kind} ${qualify(body, "name")}`;
}

/** Names are unique in a table only. */
function qualify(body: Fields, key: "name" | "chain"): string {
  return `${body["family"]} ${body[key]}`;
}

function isFilled({ family, name }: Fields): boolean {
  return GUARD_SETS.some((each) => each.family === family && each.set === name);
}

function withoutVolatile(body: Fields): Fields {
  return Object.fromEntries(Object.entries(body).filter(([key]) => !VOLATILE.includes(key)));
}

function parseElements(list: unknown): ReadonlySet<string> {
  return new Set(Array.isArray(list) ? list.map(formatElement) : []);
}

/** An element of a shape that flock never writes stays as JSON: it shows up as foreign. */
function formatElement(element: unknown): string {
  const text = typeof element === "string"
    ? formatHost(element)
    : isFields(element)
    ? formatFields(element)
    : undefined;
  return text ?? JSON.stringify(element);
}

function formatFields({ concat, prefix }: Fields): string | undefined {
  if (isFields(prefix)) return parsePrefix(`${prefix["addr"]}/${prefix["len"]}`)?.text;
  if (!Array.isArray(concat) || concat.length !== 2) return undefined;
  const address = parseAddress(String(concat[1]));
  return address && `"${concat[0]}" . ${address.text}`;
}

/** nft writes a prefix of one address without its length. */
function formatHost(text: string): string | undefined {
  return parsePrefix(`${text}/${text.includes(":") ? 128 : 32}`)?.text;
}
