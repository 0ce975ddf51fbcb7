import { testInNamespace } from "../../tests/lab/in_namespace.ts";

Deno.test("the tables of NetworkPolicy are what nft reads", async () => {
  await testInNamespace(new URL("./_policy_table_scenes.ts", import.meta.url));
});
