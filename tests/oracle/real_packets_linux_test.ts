import { testInNamespace } from "../lab/in_namespace.ts";

Deno.test("what a real kernel does with random packets under a compiled table is what the API's text says", async () => {
  await testInNamespace(new URL("./_real_packet_scenes.ts", import.meta.url));
});

Deno.test("what a real kernel does with replies, errors and fragments under a compiled table is what was promised", async () => {
  await testInNamespace(new URL("./_packet_case_scenes.ts", import.meta.url));
});
