import { assertEquals } from "@std/assert";
import { crowdPods } from "../../bench/policy_world.ts";
import { ApiClient } from "./_client.ts";
import { items, patch } from "./_contract.ts";
import { LOOPBACK } from "./_contract_suite.ts";
import { startEmbeddedApi } from "./embedded.ts";
import { valueAt } from "./_object.ts";

Deno.test("the embedded server is filled with ten thousand pods, which it lists in pages and changes one by one", async () => {
  const api = await startEmbeddedApi(LOOPBACK);
  const client = await ApiClient.open(api);
  try {
    api.fill(crowdPods(Array.from({ length: 10_000 }, (_, index) => ({ index }))));
    const page = await client.call("GET", "/api/v1/pods?limit=500");
    assertEquals([items(page).length, valueAt(page.body, "metadata.remainingItemCount")], [500, 9_500]);
    const first = items(page)[0];
    const path = `/api/v1/namespaces/team-0/pods/${valueAt(first, "metadata.name")}`;
    const patched = await patch({ server: api, client }, path, { metadata: { labels: { group: "other" } } });
    assertEquals(valueAt(patched.body, "metadata.labels.group"), "other");
    assertEquals(valueAt(patched.body, "status"), valueAt(first, "status"));
  } finally {
    client.close();
    await api.stop();
  }
});
