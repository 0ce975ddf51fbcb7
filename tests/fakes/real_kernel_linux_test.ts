import { testInNamespace } from "../lab/in_namespace.ts";

Deno.test("the drivers keep the contract that the kernel in memory is held to", async () => {
  await testInNamespace(new URL("./_real_kernel_scenes.ts", import.meta.url));
});
