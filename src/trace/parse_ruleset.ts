import { type Fields, fieldsOf, itemsOf } from "../json/fields.ts";
import { parseAddress } from "../ip/address.ts";
import { CHAIN_VERDICTS, PLAIN_VERDICTS, PROTOCOL_NAMES } from "./_words.ts";
import type { Chain, Counter, Expression, Rule, Ruleset, Value, Verdict } from "./ruleset.ts";

/**
 * Reads a table as libnftables writes it (libnftables-json(5)), releases 1.0 and 1.1.
 *
 * @param json what `nft -j list table` printed. What it holds that is not understood stays as `unknown`, so that whoever
 * follows a packet can tell where he cannot
 * @throws SyntaxError for what is no list of nft's
 */
export function parseRuleset(json: string): Ruleset {
  const document = fieldsOf(JSON.parse(json));
  if (!Array.isArray(document["nftables"])) throw new SyntaxError("Cannot read nft's list: it has no nftables");
  const objects = document["nftables"].flatMap((each: unknown) => Object.entries(fieldsOf(each)));
  const bodies = (...kinds: readonly string[]): Fields[] =>
    objects.flatMap(([kind, body]) => kinds.includes(kind) ? [fieldsOf(body)] : []);
  const named = <T>(kind: string, read: (body: Fields) => T): Map<string, T> =>
    new Map(bodies(kind).map((body) => [textOf(body["name"]), read(body)]));
  const rules = Map.groupBy(bodies("rule"), ({ chain }) => textOf(chain));
  return {
    chains: named("chain", (body) => parseChain(body, rules.get(textOf(body["name"])) ?? [])),
    sets: named("set", ({ elem }) => itemsOf(elem).map(parseValue)),
    maps: named("map", ({ elem }) => new Map(itemsOf(elem).flatMap(parseMapping))),
    counters: named("counter", parseCounter),
  };
}

/** @returns the text under which a map has its elements */
export function tupleText(parts: readonly string[]): string {
  return parts.join(" . ");
}

function parseChain({ hook, prio, policy }: Fields, rules: readonly Fields[]): Chain {
  return {
    rules: rules.map(parseRule),
    ...(typeof hook === "string" && {
      hook: { name: hook, priority: Number(prio), policy: policy === "drop" ? "drop" : "accept" },
    }),
  };
}

function parseCounter({ packets, bytes }: Fields): Counter {
  return { packets: Number(packets), bytes: Number(bytes) };
}

function parseRule({ handle, expr }: Fields): Rule {
  return { handle: Number(handle), expressions: itemsOf(expr).map(parseExpression) };
}

function parseExpression(raw: unknown): Expression {
  const [[kind, body] = ["", undefined]] = Object.entries(fieldsOf(raw));
  const verdict = parseVerdict(raw);
  if (verdict !== undefined) return { kind: "verdict", verdict };
  if (kind === "match") return parseMatch(fieldsOf(body)) ?? unknown(raw);
  if (kind === "vmap") return parseVmap(fieldsOf(body)) ?? unknown(raw);
  return parseAside(kind, body) ?? unknown(raw);
}

function unknown(raw: unknown): Expression {
  return { kind: "unknown", text: JSON.stringify(raw) };
}

function parseVerdict(raw: unknown): Verdict | undefined {
  const [[kind, body] = ["", undefined]] = Object.entries(fieldsOf(raw));
  const plain = PLAIN_VERDICTS.find((each) => each === kind);
  if (plain !== undefined) return { kind: plain };
  const led = CHAIN_VERDICTS.find((each) => each === kind);
  return led && { kind: led, chain: textOf(fieldsOf(body)["target"]) };
}

function parseMatch({ op, left, right }: Fields): Expression | undefined {
  const keys = parseKeys(left);
  const known = op === "==" || op === "!=" || op === "in";
  if (keys === undefined || !known) return undefined;
  return { kind: "match", keys, negated: op === "!=", value: nameProtocol(keys, parseValue(right)) };
}

/** Without /etc/protocols nft writes numbers (IANA). */
function nameProtocol([key]: readonly string[], value: Value): Value {
  if (key !== "meta l4proto" || value.kind !== "tuple") return value;
  return { kind: "tuple", parts: value.parts.map((part) => PROTOCOL_NAMES.get(part) ?? part) };
}

function parseVmap({ key, data }: Fields): Expression | undefined {
  const keys = parseKeys(key);
  return keys && typeof data === "string" && data.startsWith("@")
    ? { kind: "vmap", keys, map: data.slice(1) }
    : undefined;
}

/** What counts, logs or limits. A limit that is used up ends its rule, which then is one that logs: no packet's fate. */
function parseAside(kind: string, body: unknown): Expression | undefined {
  const fields = fieldsOf(body);
  if (kind === "counter") {
    return { kind: "aside", text: typeof body === "string" ? `counter name "${body}"` : "counter" };
  }
  if (kind === "limit") return { kind: "aside", text: `limit rate ${fields["rate"]}/${fields["per"]}` };
  if (kind === "log") return { kind: "aside", text: `log prefix ${JSON.stringify(fields["prefix"] ?? "")}` };
  return undefined;
}

/** @returns undefined for what is no field of a packet, of meta or of connection tracking */
function parseKeys(raw: unknown): string[] | undefined {
  const fields = fieldsOf(raw);
  const parts = Array.isArray(fields["concat"]) ? fields["concat"] : [raw];
  const keys = parts.flatMap((part: unknown) => parseKey(fieldsOf(part)) ?? []);
  return keys.length === parts.length ? keys : undefined;
}

function parseKey({ payload, meta, ct }: Fields): string | undefined {
  const { protocol, field } = fieldsOf(payload);
  if (typeof protocol === "string" && typeof field === "string") return `${protocol} ${field}`;
  if (meta !== undefined) return `meta ${textOf(fieldsOf(meta)["key"])}`;
  return ct === undefined ? undefined : `ct ${textOf(fieldsOf(ct)["key"])}`;
}

function parseValue(raw: unknown): Value {
  const { range, prefix, concat, set, elem } = fieldsOf(raw);
  if (elem !== undefined) return parseValue(fieldsOf(elem)["val"]);
  if (Array.isArray(raw)) return { kind: "list", values: raw.map(parseValue) };
  if (Array.isArray(set)) return { kind: "list", values: set.map(parseValue) };
  if (Array.isArray(concat)) return { kind: "tuple", parts: concat.map(textOf) };
  if (Array.isArray(range)) return { kind: "range", first: textOf(range[0]), last: textOf(range[1]) };
  if (prefix !== undefined) {
    const { addr, len } = fieldsOf(prefix);
    return { kind: "prefix", address: textOf(addr), length: Number(len) };
  }
  const text = textOf(raw);
  return text.startsWith("@") ? { kind: "set", name: text.slice(1) } : { kind: "tuple", parts: [text] };
}

/** An element of a verdict map: `[key, verdict]`. */
function parseMapping(raw: unknown): [string, Verdict][] {
  const [key, body] = itemsOf(raw);
  const [value, verdict] = [parseValue(key), parseVerdict(body)];
  return value.kind === "tuple" && verdict !== undefined ? [[tupleText(value.parts), verdict]] : [];
}

function textOf(raw: unknown): string {
  if (typeof raw === "string") return parseAddress(raw)?.text ?? raw;
  return typeof raw === "number" ? String(raw) : JSON.stringify(raw) ?? "";
}
