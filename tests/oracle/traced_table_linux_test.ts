import { testInNamespace } from "../lab/in_namespace.ts";

Deno.test("what a trace through the kernel's own table says of random packets is what the API's text says", async () => {
  await testInNamespace(new URL("./_traced_table_scenes.ts", import.meta.url));
});
