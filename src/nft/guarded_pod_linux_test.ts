import { testInNamespace } from "../../tests/lab/in_namespace.ts";

Deno.test("stock pods work behind the guard, and no header hides a packet from it, on a real kernel", async () => {
  await testInNamespace(new URL("./_guarded_pod_scenes.ts", import.meta.url));
});
