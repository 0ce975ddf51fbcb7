/** What following a collection lives through. */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { type Answer, list, status, type StillClock, Stream, thing, until } from "./_api_fixture.ts";
import { gone, greet, later, names, scene, tick } from "./_follow_fixture.ts";

for (const [how, answer] of [["an event", undefined], ["an HTTP status", status(410)]] as const) {
  const [before, told, after] = [new Stream(), new Stream(), new Stream()];
  const script = {
    lists: [list([thing("a", 1), thing("b", 2)], 9), list([thing("b", 3), thing("c", 4)], 90)],
    watches: [before.answer, answer ?? told.answer, after.answer],
  };
  scene(`lists anew, at one stroke, when 410 Gone comes as ${how}`, script, async (s) => {
    await greet(s, before);
    s.clock.advance(60_000);
    before.end();
    await until(() => answer !== undefined || told.opened);
    told.send(gone);
    await until(() => after.opened);
    assertEquals([...s.watched.items], [["shop/b", 3], ["shop/c", 4]]);
    assertEquals([s.bells, s.api.watchQueries()[2]?.["resourceVersion"]], [2, "90"]);
  });
}

{
  const stream = new Stream();
  scene(
    "backs off where even a list is answered 410",
    { lists: [status(410)], watches: [stream.answer] },
    async (s) => {
      await until(() => s.api.listQueries().length === 2);
      for (let step = 0; step < 300; step++) await tick(s.clock, 100);
      assertLess(s.api.listQueries().length, 30);
    },
  );
}

for (const code of [429, 503]) {
  const [stream, next] = [new Stream(), new Stream()];
  const refused = status(code, { "Retry-After": "5" });
  const script = { lists: [list([thing("a", 1)], 9)], watches: [stream.answer, refused, next.answer] };
  scene(`keeps its version through a ${code}, and waits as long as Retry-After says`, script, async (s) => {
    await greet(s, stream);
    assertEquals(s.watched.interruption, undefined);
    s.clock.advance(1000);
    stream.end();
    await until(() => s.api.watchQueries().length === 2);
    for (let step = 0; step < 49; step++) await tick(s.clock, 100);
    assertEquals(s.api.watchQueries().length, 2);
    assertStringIncludes(s.watched.interruption ?? "", String(code));
    await later(s.clock, () => next.opened);
    await later(s.clock, () => s.watched.interruption === undefined);
    assertEquals([names(s), s.api.listQueries().length], [["shop/a"], 1]);
    assertEquals(s.api.watchQueries()[2]?.["resourceVersion"], "9");
  });
}

{
  const stream = new Stream();
  const lists = [status(429, { "Retry-After": "7" }), list([], 9)];
  scene("waits as long as Retry-After says", { lists, watches: [stream.answer] }, async (s) => {
    await until(() => s.api.heard.length === 1);
    for (let step = 0; step < 69; step++) await tick(s.clock, 100);
    assertEquals(s.api.heard.length, 1);
    await later(s.clock, () => s.watched.synced);
  });
}

{
  const stream = new Stream();
  const script = { lists: [list([thing("a", 1)], 9)], watches: [stream.answer, status(503)] };
  scene("keeps what it knows and asks ever less often while the server fails", script, async (s) => {
    await until(() => stream.opened);
    stream.end();
    for (let step = 0; step < 600; step++) await tick(s.clock, 100);
    const asked = s.api.watchQueries().length;
    assert(asked > 5, `only ${asked} attempts in a minute`);
    assertLess(asked, 20);
    assertEquals([names(s), s.bells, s.api.listQueries().length], [["shop/a"], 1, 1]);
  });
}

{
  const silent = new Stream();
  const next = new Stream();
  const watches = [silent.answer, next.answer];
  scene("cuts a watch that is silent for 90 s, not one that is only quiet", {
    lists: [list([thing("a", 1)], 9)],
    watches,
  }, async (s) => {
    await greet(s, silent);
    s.clock.advance(80_000);
    silent.send({ type: "BOOKMARK", object: { metadata: { resourceVersion: "10" } } });
    await until(() => s.watched.lastContact === s.clock.monotonic());
    s.clock.advance(80_000);
    await tick(s.clock, 0);
    assertEquals([silent.cancelled, s.api.watchQueries().length], [false, 1]);
    s.clock.advance(10_000);
    await later(s.clock, () => next.opened);
    assertEquals([silent.cancelled, names(s), s.api.watchQueries()[1]?.["resourceVersion"]], [true, ["shop/a"], "10"]);
  });
}

{
  const [mute, still, next] = [new Stream(), new Stream(), new Stream()];
  const script = {
    lists: [list([thing("a", 1)], 900), list([thing("b", 2)], 901)],
    watches: [mute.answer, still.answer, next.answer],
  };
  scene("lists anew when two watches never say a word: its version may be of the future", script, async (s) => {
    await greet(s, mute);
    s.clock.advance(90_000);
    await later(s.clock, () => still.opened);
    await greet(s, still);
    assertEquals(s.api.listQueries().length, 1);
    s.clock.advance(90_000);
    await later(s.clock, () => next.opened);
    assertEquals([names(s), s.api.listQueries().length], [["shop/b"], 2]);
  });
}

{
  const next = new Stream();
  const hanging: Answer = () => new Promise((resolve) => setTimeout(() => resolve(new Response("")), 300));
  const script = { lists: [list([thing("a", 1)], 9)], watches: [hanging, next.answer] };
  scene("gives a watch up after 8 s whose answer does not begin", script, async (s) => {
    await until(() => s.api.watchQueries().length === 1);
    s.clock.advance(7000);
    await tick(s.clock, 0);
    assertEquals(s.api.watchQueries().length, 1);
    s.clock.advance(1000);
    await later(s.clock, () => next.opened);
    assertEquals([s.api.listQueries().length, s.api.watchQueries()[1]?.["resourceVersion"]], [1, "9"]);
  });
}

for (const random of [0, 0.999]) {
  const [silent, next] = [new Stream(), new Stream()];
  const script = { lists: [list([thing("a", 1)], 9)], watches: [silent.answer], random };
  const subject =
    `keeps what it knows through a black hole of 10 min, and finds the server within 30 s, jitter ${random}`;
  scene(`${subject} (T-API-02)`, script, async (s) => {
    await greet(s, silent);
    s.api.watches = [s.api.swallow];
    for (let step = 0; step < 600; step++) await tick(s.clock, 1000);
    assertEquals([names(s), s.bells, s.api.listQueries().length], [["shop/a"], 1, 1]);
    s.api.watches = [next.answer];
    const back = s.clock.monotonic();
    await later(s.clock, () => next.opened);
    assertLess(s.clock.monotonic() - back, 30_000);
  });
}

{
  let opened = 0;
  const bookmark = `${JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: "10" } } })}\n`;
  const hasty: Answer = () => {
    opened++;
    return new Response(bookmark);
  };
  scene("opens no more than one watch a second where each brings something and ends", {
    lists: [list([], 9)],
    watches: [hasty],
  }, async (s) => {
    await until(() => opened === 1);
    for (let step = 0; step < 100; step++) await tick(s.clock, 100);
    assertLess(opened, 12);
    assert(opened > 7, `only ${opened} watches in 10 s`);
  });
}

{
  const stream = new Stream();
  const hanging: Answer = () => new Promise((resolve) => setTimeout(() => resolve(new Response("{}")), 300));
  const script = { lists: [hanging, list([thing("a", 1)], 9)], watches: [stream.answer] };
  scene("gives a list up after 70 s without a byte", script, async (s) => {
    await until(() => s.api.heard.length === 1);
    s.clock.advance(69_000);
    await tick(s.clock, 0);
    assertEquals(s.api.heard.length, 1);
    s.clock.advance(1000);
    await later(s.clock, () => s.watched.synced);
    assertEquals(s.api.listQueries().length, 2);
  });
}

{
  const slow = new Stream();
  const stream = new Stream();
  scene("waits for a list that takes its time, as long as it comes", {
    lists: [slow.answer],
    watches: [stream.answer],
  }, async (s) => {
    await until(() => slow.opened);
    for (const part of ['{"items":', '[],"metadata"', ':{"resourceVersion":"9"}}']) {
      slow.sendText(part);
      await until(() => s.watched.lastContact === s.clock.monotonic());
      s.clock.advance(60_000);
    }
    slow.end();
    await until(() => s.watched.synced);
    assertEquals(s.api.listQueries().length, 1);
  });
}

{
  const [before, after] = [new Stream(), new Stream()];
  const script = { lists: [list([thing("a", 1)], 9), list([], 90)], watches: [before.answer, after.answer] };
  scene("believes an empty list when it is said twice, a second apart", script, async (s) => {
    await greet(s, before);
    s.clock.advance(60_000);
    before.send(gone);
    await until(() => s.api.listQueries().length === 2);
    for (let step = 0; step < 9; step++) await tick(s.clock, 100);
    assertEquals([names(s), s.api.listQueries().length], [["shop/a"], 2]);
    await later(s.clock, () => after.opened);
    assertEquals([names(s), s.bells, s.api.listQueries().length], [[], 2, 3]);
  });
}

{
  const [before, after] = [new Stream(), new Stream()];
  const script = {
    lists: [list([thing("a", 1)], 900), list([thing("b", 2)], 15)],
    watches: [before.answer, after.answer],
  };
  scene("lists anew when versions go back: another history", script, async (s) => {
    await greet(s, before);
    s.clock.advance(60_000);
    before.send({ type: "ADDED", object: thing("b", 12) });
    await later(s.clock, () => after.opened);
    assertEquals([names(s), s.api.listQueries().length], [["shop/b"], 3]);
  });
}

{
  const [before, after] = [new Stream(), new Stream()];
  const script = {
    lists: [list([thing("a", 1)], 900), list([], 15), list([thing("a", 1), thing("b", 2)], 950)],
    watches: [before.answer, after.answer],
  };
  scene("never shows what a server that is behind lists, when the next list is whole again", script, async (s) => {
    await greet(s, before);
    s.clock.advance(60_000);
    before.send(gone);
    await later(s.clock, () => {
      assert(s.watched.items.has("shop/a"));
      return after.opened;
    });
    assertEquals([names(s), s.bells, s.api.listQueries().length], [["shop/a", "shop/b"], 2, 3]);
  });
}

{
  const stream = new Stream();
  const page: Answer = () => new Response("<html>please log in</html>");
  const script = {
    lists: [list([thing("a", 1)], 9), page, () => Response.json({}), list([thing("b", 2)], 90)],
    watches: [
      stream.answer,
      status(410),
    ],
  };
  scene("does not take a page that is no list for an empty one", script, async (s) => {
    await until(() => stream.opened);
    stream.end();
    await until(() => {
      assert(s.watched.items.size > 0);
      s.clock.advance(100);
      return s.watched.items.has("shop/b");
    });
  });
}

{
  const stream = new Stream();
  let clock: StillClock | undefined;
  const slow: Answer = (heard) => {
    clock?.advance(2000);
    return status(503)(heard);
  };
  const script = { lists: [list([], 9)], watches: [stream.answer, slow] };
  scene("backs off from a server that takes its time to refuse", script, async (s) => {
    await until(() => stream.opened);
    clock = s.clock;
    stream.end();
    for (let step = 0; step < 300; step++) await tick(s.clock, 100);
    assertLess(s.api.watchQueries().length, 12);
  });
}
