import { testInNamespace } from "../../tests/lab/in_namespace.ts";

Deno.test("the BIRD driver keeps its contract with real BIRD and FRR", async () => {
  await testInNamespace(new URL("./_bird_scenes.ts", import.meta.url));
});
