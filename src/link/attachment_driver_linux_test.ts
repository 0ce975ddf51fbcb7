import { testInNamespace } from "../../tests/lab/in_namespace.ts";

Deno.test("the attachment driver keeps its contract on a real kernel", async () => {
  await testInNamespace(new URL("./_attachment_scenes.ts", import.meta.url));
});
