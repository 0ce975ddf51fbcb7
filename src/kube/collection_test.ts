import { assertEquals } from "@std/assert";
import { Collection } from "./collection.ts";
import type { KubeObject } from "./kube_client.ts";

/** Keeps the labels alone. */
const decode = ({ metadata }: KubeObject): unknown =>
  typeof metadata === "object" && metadata !== null && "labels" in metadata ? metadata.labels : undefined;

function pod(name: string, version: string, labels?: Record<string, string>): KubeObject {
  return {
    metadata: { name, namespace: "shop", resourceVersion: version, ...(labels === undefined ? {} : { labels }) },
  };
}

Deno.test("put() says whether an object says anything new: a heartbeat of a thousand pods is no reason for a pass", () => {
  const collection = new Collection(decode);
  collection.replace(new Map());
  const puts = [
    pod("a", "1", { app: "web" }),
    pod("a", "2", { app: "web" }),
    pod("a", "3", { app: "dns" }),
    pod("a", "4"), // `decode` keeps nothing of it
    pod("a", "5"),
    pod("a", "6", { app: "dns" }),
  ];
  assertEquals(puts.map((object) => collection.put(object)), [
    "shop/a",
    undefined,
    "shop/a",
    "shop/a",
    undefined,
    "shop/a",
  ]);
  assertEquals([...collection.items], [["shop/a", { app: "dns" }]]);
});

Deno.test("remove() says whether there was anything to forget", () => {
  const collection = new Collection(decode);
  collection.put(pod("a", "1", {}));
  assertEquals([collection.remove(pod("a", "2")), collection.remove(pod("a", "3"))], ["shop/a", undefined]);
});

Deno.test("replace() tells the bells which objects came, went or changed, and none that a list only says again", () => {
  const collection = new Collection(decode);
  const rung: string[][] = [];
  collection.onChange((changed) => rung.push([...changed].sort()));
  collection.replace(new Map([["a", 1], ["b", 1], ["c", 1]]));
  collection.replace(new Map([["b", 1], ["c", 2], ["d", 1]]));
  collection.replace(new Map([["b", 1], ["c", 2], ["d", 1]]));
  assertEquals(rung, [["a", "b", "c"], ["a", "c", "d"], []]);
});
