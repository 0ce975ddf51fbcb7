export type Fields = Readonly<Record<string, unknown>>;

/**
 * @param json what `nft -j list` wrote.
 * @returns each object with its kind, in order.
 * @throws when it is not what nft writes
 */
export function listObjects(json: string): [kind: string, body: Fields][] {
  const document: unknown = JSON.parse(json);
  if (!isFields(document) || !Array.isArray(document["nftables"])) {
    throw new Error("Cannot read nft's list: no nftables");
  }
  return document["nftables"].flatMap((item: unknown) =>
    isFields(item) ? Object.entries(item).flatMap(([kind, body]) => isFields(body) ? [[kind, body] as const] : []) : []
  ).map(([kind, body]) => [kind, body]);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
