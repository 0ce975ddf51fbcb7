import { testInNamespace } from "../../tests/lab/in_namespace.ts";

Deno.test("the host driver keeps its contract on a real kernel", async () => {
  await testInNamespace(new URL("./_host_driver_scenes.ts", import.meta.url));
});

Deno.test("the host driver keeps a node's default route from a real router", async () => {
  await testInNamespace(new URL("./_router_advertisement_scenes.ts", import.meta.url));
});
