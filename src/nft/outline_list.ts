import { parseAddress } from "../ip/address.ts";
import { type Fields, isFields, listObjects } from "./list_objects.ts";
import { describeChain, type TableOutline } from "./table_outline.ts";

/** @param json what `nft -j list table` wrote. @throws when it breaks off */
export function outlineList(json: string): TableOutline {
  const objects = listObjects(json);
  const bodies = (...kinds: readonly string[]): Fields[] =>
    objects.flatMap(([kind, body]) => kinds.includes(kind) ? [body] : []);
  const rules = Map.groupBy(bodies("rule"), ({ chain }) => String(chain));
  return {
    chains: new Map(
      bodies("chain").map((chain) => {
        const name = String(chain["name"]);
        return [name, describeChain(rules.get(name)?.length ?? 0, hookOf(chain))];
      }),
    ),
    sets: new Map(bodies("set", "map").map(({ name, elem }) => [String(name), outlineElements(elem)])),
    counters: new Set(bodies("counter").map(({ name }) => String(name))),
  };
}

function hookOf({ type, hook, prio, policy }: Fields): string | undefined {
  return hook === undefined ? undefined : `${type} ${hook} ${prio} ${policy}`;
}

function outlineElements(list: unknown): ReadonlySet<string> {
  return new Set(Array.isArray(list) ? list.map(formatElement) : []);
}

/**
 * A pair is an element of a map: `[key, { goto: { target } }]`. What is of another shape stays as JSON: it shows up as
 * foreign.
 */
function formatElement(element: unknown): string {
  if (!Array.isArray(element)) return formatKey(element);
  const [key, verdict] = element;
  const [[kind, body] = []] = isFields(verdict) ? Object.entries(verdict) : [];
  return `${formatKey(key)} : ${kind}${isFields(body) ? ` ${body["target"]}` : ""}`;
}

function formatKey(key: unknown): string {
  if (isFields(key) && Array.isArray(key["concat"])) return key["concat"].map(formatKey).join(" . ");
  if (typeof key === "number") return String(key);
  return typeof key === "string" ? parseAddress(key)?.text ?? key : JSON.stringify(key);
}
