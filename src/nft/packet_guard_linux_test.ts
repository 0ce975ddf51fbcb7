import { testInNamespace } from "../../tests/lab/in_namespace.ts";

Deno.test("the guard drops what no pod may send or reach, on a real kernel", async () => {
  await testInNamespace(new URL("./_packet_guard_scenes.ts", import.meta.url));
});
