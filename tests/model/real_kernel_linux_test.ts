import { testInNamespace } from "../lab/in_namespace.ts";

Deno.test("the schedules of the model on a real kernel, with the agent's own drivers", async () => {
  await testInNamespace(new URL("./_real_kernel_scenes.ts", import.meta.url));
});
