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
  assertEquals(puts.map((object) => collection.put(object)), [true, false, true, true, false, true]);
  assertEquals([...collection.items], [["shop/a", { app: "dns" }]]);
});

Deno.test("remove() says whether there was anything to forget", () => {
  const collection = new Collection(decode);
  collection.put(pod("a", "1", {}));
  assertEquals([collection.remove(pod("a", "2")), collection.remove(pod("a", "3"))], [true, false]);
});
