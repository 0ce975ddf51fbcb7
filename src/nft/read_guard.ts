import { parseAddress, parsePrefix } from "../ip/address.ts";
import { GUARD_SETS } from "./guard_model.ts";

/** The table as `nft -j list table inet flock` shows it. */
export interface FoundTable {
  /**
   * Every chain, rule, set and counter: name for a reader -> what identifies it. Handles are part of that: the kernel never
   * gives one twice, so an object with the same handle is the same object, whatever its text would look like in another nft.
   */
  readonly objects: ReadonlyMap<string, string>;
  /** set -> elements, written as in GuardModel. Only the sets that flock fills. */
  readonly elements: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What changes by itself, or is compared on its own. */
const VOLATILE = ["elem", "packets", "bytes"];

/** @param json what nft wrote. @throws when it is not what nft writes */
export function parseGuard(json: string): FoundTable {
  const objects = new Map<string, string>();
  const elements = new Map<string, ReadonlySet<string>>();
  for (const [kind, body] of listObjects(json)) {
    if (kind === "metainfo") continue;
    objects.set(describe(kind, body), JSON.stringify(withoutVolatile(body)));
    const name = String(body["name"]);
    if (kind === "set" && GUARD_SETS.some((set) => set === name)) elements.set(name, parseElements(body["elem"]));
  }
  return { objects, elements };
}

type Fields = Readonly<Record<string, unknown>>;

function listObjects(json: string): [kind: string, body: Fields][] {
  const document: unknown = JSON.parse(json);
  if (!isFields(document) || !Array.isArray(document["nftables"])) {
    throw new Error("Cannot read nft's list: no nftables");
  }
  return document["nftables"].flatMap((item: unknown) =>
    isFields(item) ? Object.entries(item).flatMap(([kind, body]) => isFields(body) ? [[kind, body] as const] : []) : []
  ).map(([kind, body]) => [kind, body]);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function describe(kind: string, body: Fields): string {
  return kind === "rule" ? `rule ${body["handle"]} of chain ${body["chain"]}` : `${kind} ${body["name"]}`;
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
