import { assert, assertEquals } from "@std/assert";
import {
  type Answer,
  list,
  PODS,
  ScriptedApi,
  silentLogger,
  status,
  StillClock,
  Stream,
  thing,
  tokenConnection,
  until,
} from "./_api_fixture.ts";
import { later, names, scene, tick } from "./_follow_fixture.ts";
import { createKubeClient } from "./create_kube_client.ts";

{
  const stream = new Stream();
  const pages = [list([thing("a", 1)], 9, "page-2"), list([thing("b", 2)], 9)];
  scene(
    "lists in pages and then watches from the list's version",
    { lists: pages, watches: [stream.answer] },
    async (s) => {
      await until(() => stream.opened);
      assertEquals(s.api.listQueries().map(({ continue: token }) => token), [undefined, "page-2"]);
      assertEquals(s.api.listQueries()[0]?.["limit"], "500");
      const [query] = s.api.watchQueries();
      assertEquals([query?.["resourceVersion"], query?.["allowWatchBookmarks"]], ["9", "true"]);
      assertEquals([query?.["timeoutSeconds"], query?.["fieldSelector"]], ["450", "spec.nodeName=a"]);
      assertEquals([names(s), s.bells, s.watched.synced], [["shop/a", "shop/b"], 1, true]);
    },
  );
}

{
  const stream = new Stream();
  scene(
    "applies events and rings once per batch",
    { lists: [list([thing("a", 1)], 9)], watches: [stream.answer] },
    async (s) => {
      await until(() => stream.opened);
      stream.send(
        { type: "ADDED", object: thing("b", 10) },
        { type: "MODIFIED", object: thing("b", 11) },
        { type: "DELETED", object: thing("a", 12) },
      );
      await until(() => s.bells === 2);
      assertEquals([...s.watched.items], [["shop/b", 11]]);
    },
  );
}

{
  const first = new Stream();
  const second = new Stream();
  const watches = [first.answer, second.answer];
  scene("goes on from the last bookmark after a clean end", { lists: [list([], 9)], watches }, async (s) => {
    await until(() => first.opened);
    first.send({ type: "BOOKMARK", object: { metadata: { resourceVersion: "40" } } });
    first.end();
    await later(s.clock, () => second.opened);
    assertEquals(s.api.watchQueries().map((query) => query["resourceVersion"]), ["9", "40"]);
    assertEquals(s.api.listQueries().length, 1);
  });
}

{
  const first = new Stream();
  const second = new Stream();
  const watches = [first.answer, second.answer];
  scene("takes up the last whole event when a line breaks off", { lists: [list([], 9)], watches }, async (s) => {
    await until(() => first.opened);
    first.send({ type: "ADDED", object: thing("a", 10) });
    first.sendText('{"type":"ADDED","object":{"metadata":{"name":"b"');
    first.end();
    await later(s.clock, () => second.opened);
    assertEquals([names(s), s.api.watchQueries()[1]?.["resourceVersion"]], [["shop/a"], "10"]);
  });
}

{
  const stream = new Stream();
  const lists = [list([thing("a", 1)], 9, "stale"), status(410), list([thing("b", 2)], 20)];
  scene(
    "asks for everything at once when its continue token expired (T-API-04)",
    { lists, watches: [stream.answer] },
    async (s) => {
      await until(() => stream.opened);
      assertEquals([names(s), s.bells], [["shop/b"], 1]);
      const asked = s.api.listQueries().map(({ continue: token, limit }) => [token, limit]);
      assertEquals(asked, [[undefined, "500"], ["stale", "500"], [undefined, undefined]]);
    },
  );
}

{
  const stream = new Stream();
  const byToken: Answer = (heard) =>
    heard.headers.get("authorization") === "Bearer new" ? list([thing("a", 1)], 9)(heard) : status(401)(heard);
  scene("reads a rotated token after a 401 (T-API-03)", { lists: [byToken], watches: [stream.answer] }, async (s) => {
    await until(() => s.api.heard.length >= 2);
    assert(!s.watched.synced);
    s.files.token = "new";
    await later(s.clock, () => s.watched.synced);
  });
}

Deno.test("followCollection() finds a server that was not there at the start", async () => {
  const probe = new ScriptedApi();
  const url = probe.url;
  await probe.close();
  const clock = new StillClock();
  const connection = tokenConnection(url, { token: "t" });
  const client = createKubeClient({ connection, clock, logger: silentLogger, random: () => 0.5 });
  const watched = client.watch({ path: PODS, decode: (object) => object });
  for (let step = 0; step < 20; step++) await tick(clock, 100);
  assertEquals([watched.synced, watched.lastContact], [false, undefined]);
  client.stop();
});
