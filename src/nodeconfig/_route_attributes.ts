import type { FieldReader, Fields } from "./_field_reader.ts";
import type { AnycastAttributes, RouteAttributes } from "./node_config.ts";

const MAX_COMMUNITIES = 32;
const COMMUNITY = { parts: 2, max: 65535, rule: "must be two numbers up to 65535, such as 65000:100" };
const LARGE_COMMUNITY = {
  parts: 3,
  max: 4294967295,
  rule: "must be three numbers up to 4294967295, such as 65000:1:100",
};
const MED = { min: 0, max: 4294967295 };
const PREPEND = { min: 0, max: 10 };

/** Reads what routers are told along with routes. @returns undefined when absent */
export function readAttributes(reader: FieldReader, field: string, value: unknown): RouteAttributes | undefined {
  return value === undefined || value === null ? undefined : read(reader, field, reader.object(field, value));
}

/** @returns undefined when absent */
export function readAnycastAttributes(
  reader: FieldReader,
  field: string,
  value: unknown,
): AnycastAttributes | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = reader.object(field, value);
  const med = reader.optionalInteger(`${field}.med`, fields["med"], MED);
  const prepend = reader.optionalInteger(`${field}.prepend`, fields["prepend"], PREPEND);
  return {
    ...read(reader, field, fields),
    ...(med !== undefined && { med }),
    ...(prepend !== undefined && { prepend }),
  };
}

function read(reader: FieldReader, field: string, fields: Fields): RouteAttributes {
  const list = (name: string, kind: typeof COMMUNITY): number[][] =>
    readCommunities(reader, { field: `${field}.${name}`, value: fields[name], kind });
  return {
    communities: list("communities", COMMUNITY),
    largeCommunities: list("largeCommunities", LARGE_COMMUNITY),
  };
}

function readCommunities(
  reader: FieldReader,
  { field, value, kind }: { field: string; value: unknown; kind: typeof COMMUNITY },
): number[][] {
  const read = reader.list(field, value, MAX_COMMUNITIES).flatMap((item) => {
    const parts = typeof item.value === "string" && /^\d+(:\d+)+$/.test(item.value) ? item.value.split(":") : [];
    const numbers = parts.map(Number);
    if (numbers.length === kind.parts && numbers.every((part) => part <= kind.max)) return [numbers];
    reader.refuse(item.field, item.value, kind.rule);
    return [];
  });
  const sorted = read.sort(compare);
  return sorted.filter((each, index) => index === 0 || compare(each, sorted[index - 1] ?? []) !== 0);
}

function compare(a: readonly number[], b: readonly number[]): number {
  return a.map((part, index) => part - (b[index] ?? -1)).find((difference) => difference !== 0) ?? 0;
}
