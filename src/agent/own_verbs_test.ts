import { assertEquals } from "@std/assert";
import { besidesOwn } from "./own_verbs.ts";

Deno.test("besidesOwn() answers its verbs alone, and hands on all else with its length", async () => {
  const asked: unknown[] = [];
  const handle = besidesOwn(
    { PING: () => "here" },
    (request, length) => Promise.resolve(asked.push([request, length])),
  );
  assertEquals(await handle({ verb: "PING" }, 15), "here");
  assertEquals(asked, []);
  const others = [{ verb: "ADD" }, { verb: "constructor" }, { verb: ["PING"] }, { VERB: "PING" }, "PING", null, []];
  for (const [index, request] of others.entries()) await handle(request, index);
  assertEquals(asked, others.map((request, index) => [request, index]));
});
