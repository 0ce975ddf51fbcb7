import { testInNamespace } from "../../tests/lab/in_namespace.ts";

Deno.test("the route driver keeps its contract on a real kernel", async () => {
  await testInNamespace(new URL("./_route_scenes.ts", import.meta.url));
});

Deno.test("the route driver converges from wherever steps in random order lead", async () => {
  await testInNamespace(new URL("./_sequence_scenes.ts", import.meta.url));
});

Deno.test("flows to an anycast address stay with the pods that stay", async () => {
  await testInNamespace(new URL("./_flow_scenes.ts", import.meta.url));
});
