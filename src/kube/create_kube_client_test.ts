import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ScriptedApi, silentLogger, status, StillClock, tokenConnection, until } from "./_api_fixture.ts";
import { createKubeClient } from "./create_kube_client.ts";
import { type KubeClient, KubeError } from "./kube_client.ts";

interface Scene {
  readonly api: ScriptedApi;
  readonly clock: StillClock;
  readonly client: KubeClient;
}

function scene(title: string, play: (scene: Scene) => Promise<void>): void {
  Deno.test(title, async () => {
    const api = new ScriptedApi();
    const clock = new StillClock();
    const connection = tokenConnection(api.url, { token: "t" });
    const client = createKubeClient({ connection, clock, logger: silentLogger });
    try {
      await play({ api, clock, client });
    } finally {
      client.stop();
      await api.close();
    }
  });
}

scene("get() returns the object with the bearer token sent", async ({ api, client }) => {
  api.other = (): Response => Response.json({ kind: "Node" });
  assertEquals(await client.get("/api/v1/nodes/a", { timeoutMs: 1000 }), { kind: "Node" });
  assertEquals(api.heard[0]?.headers.get("authorization"), "Bearer t");
});

scene("get() returns undefined for a 404", async ({ api, client }) => {
  api.other = status(404);
  assertEquals(await client.get("/api/v1/nodes/a", { timeoutMs: 1000 }), undefined);
});

scene("get() names the path, the status and the server's words", async ({ api, client }) => {
  api.other = status(403);
  const error = await assertRejects(() => client.get("/api/v1/nodes/a", { timeoutMs: 1000 }), KubeError);
  assertEquals([error.message, error.status], ['Cannot GET "/api/v1/nodes/a": 403, "scripted 403"', 403]);
});

scene("get() gives up after its time-out", async ({ api, client, clock }) => {
  api.other = (): Promise<Response> => new Promise((resolve) => setTimeout(() => resolve(new Response("{}")), 200));
  const answer = assertRejects(() => client.get("/api/v1/nodes/a", { timeoutMs: 700 }), KubeError, "more than 700 ms");
  await until(() => api.heard.length === 1);
  clock.advance(700);
  assertEquals((await answer).status, undefined);
});

Deno.test("get() gives up after its time-out also while it still connects (T-REL-06)", async () => {
  using frozen = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // takes the connection, never says a word of TLS
  const connection = tokenConnection(`https://127.0.0.1:${frozen.addr.port}`, { token: "t" });
  const clock = new StillClock();
  const client = createKubeClient({ connection, clock, logger: silentLogger });
  const answer = assertRejects(() => client.get("/api/v1/nodes/a", { timeoutMs: 700 }), KubeError, "more than 700 ms");
  using _accepted = await frozen.accept();
  clock.advance(700);
  await answer;
  client.stop();
});

scene("get() refuses an answer that is no object", async ({ api, client }) => {
  for (const text of ["<html>", "[]", "null"]) {
    api.other = (): Response => new Response(text);
    await assertRejects(() => client.get("/api/v1/nodes/a", { timeoutMs: 1000 }), KubeError, "no answer");
  }
});

for (const [kind, type] of [["merge", "merge-patch"], ["strategic", "strategic-merge-patch"]] as const) {
  scene(`patchStatus() sends a ${kind} patch to the status subresource`, async ({ api, client }) => {
    await client.patchStatus("/api/v1/nodes/a", { status: { ready: true } }, kind);
    const [heard] = api.heard;
    assertEquals([heard?.method, heard?.path], ["PATCH", "/api/v1/nodes/a/status"]);
    assertEquals([heard?.headers.get("content-type"), heard?.body], [
      `application/${type}+json`,
      '{"status":{"ready":true}}',
    ]);
  });
}

scene("recordEvent() posts into the object's namespace", async ({ api, client }) => {
  api.other = (heard) => heard.method === "GET" ? status(404)(heard) : new Response("{}");
  const involved = { apiVersion: "v1", kind: "Pod", namespace: "shop", name: "web-0", uid: "u-1" };
  client.recordEvent({ involved, type: "Warning", reason: "InvalidAnnotation", message: "x" });
  await until(() => api.heard.some(({ method }) => method === "POST"));
  const post = api.heard.find(({ method }) => method === "POST");
  assertEquals(post?.path, "/api/v1/namespaces/shop/events");
  const event = JSON.parse(post?.body ?? "");
  assertMatch(event.metadata.name, /^web-0\.[0-9a-f]{16}$/);
  assertEquals([event.involvedObject, event.count, event.reason], [involved, 1, "InvalidAnnotation"]);
});

Deno.test("createKubeClient() never falls back from https to http", async () => {
  const listener = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: (): void => {} }, () => new Response("{}"));
  const connection = tokenConnection(`https://127.0.0.1:${listener.addr.port}`, { token: "t" });
  const client = createKubeClient({ connection, clock: new StillClock(), logger: silentLogger });
  // Plain HTTP behind an https URL: the handshake must fail, not fall back.
  await assertRejects(() => client.get("/version", { timeoutMs: 1000 }), KubeError, "no answer");
  client.stop();
  await listener.shutdown();
});
