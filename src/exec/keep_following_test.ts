import { assertEquals } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { createLogger } from "../log/logger.ts";
import type { Hearing } from "./command_runner.ts";
import { keepFollowing } from "./keep_following.ts";

interface World {
  /** Every life of the process so far; `end` ends one. */
  readonly lives: { readonly hearing: Hearing; end(how: string): void }[];
  readonly heard: string[];
  readonly warnings: string[];
  /** How often it was said to listen. */
  listening: number;
  /** Moves the clock and lets everything run that waits. */
  pass(ms: number): Promise<void>;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

function openWorld({ maxLines = Infinity }: { maxLines?: number } = {}): World {
  const clock = new HandClock();
  const stop = new AbortController();
  const lives: World["lives"] = [];
  const heard: string[] = [];
  const warnings: string[] = [];
  const logger = createLogger((line) => warnings.push(line), { level: "warn", now: () => 0 });
  const world = { lives, heard, warnings, listening: 0, pass: clock.pass.bind(clock), stop };
  const done = keepFollowing({
    source: {
      follow: (_argv, hearing) =>
        new Promise((resolve) => {
          hearing.signal.addEventListener("abort", () => resolve("killed"), { once: true });
          lives.push({ hearing, end: resolve });
        }),
    },
    ...{ argv: ["/bin/monitor"], clock, logger, signal: stop.signal, maxLines },
    hear: (line) => heard.push(line),
    listening: () => world.listening++,
  });
  return Object.assign(world, { done });
}

Deno.test("keepFollowing() says that the process listens only after it had the time to begin", async () => {
  const world = openWorld();
  await world.pass(299);
  assertEquals(world.listening, 0);
  await world.pass(1);
  assertEquals(world.listening, 1);
  await world.pass(60_000);
  assertEquals(world.listening, 2);
  world.stop.abort();
  await world.done;
});

Deno.test("keepFollowing() starts a process that ends anew, later each time, until one has lived for long", async () => {
  const world = openWorld();
  for (const wait of [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
    world.lives.at(-1)?.end("it ended with exit code 1");
    await world.pass(0);
    const lives = world.lives.length;
    await world.pass(wait - 1);
    assertEquals(world.lives.length, lives, `before ${wait}`);
    await world.pass(1);
    assertEquals(world.lives.length, lives + 1, `after ${wait}`);
  }
  await world.pass(60_000);
  world.lives.at(-1)?.end("it was ended by SIGKILL");
  await world.pass(0);
  await world.pass(100);
  assertEquals(world.lives.length, 11);
  world.stop.abort();
  await world.done;
});

Deno.test("keepFollowing() lets another process take over from one that has printed enough, and hears one of them at any time", async () => {
  const world = openWorld({ maxLines: 2 });
  const ended = (): number => world.lives.filter(({ hearing }) => hearing.signal.aborted).length;
  await world.pass(300);
  for (let life = 0; life < 5; life++) {
    const say = (line: string): void => world.lives.slice(life).forEach(({ hearing }) => hearing.hear(line));
    for (const line of ["one", "two"]) say(line);
    await world.pass(2000);
    say("while the next one begins");
    await world.pass(999);
    assertEquals(ended(), life);
    await world.pass(1);
    assertEquals([ended(), world.lives.length], [life + 1, life + 2]);
    assertEquals(world.heard.splice(0), ["one", "two", "while the next one begins"]);
  }
  await world.pass(10_000);
  assertEquals(world.listening, 2, "nobody has to look for what went unheard");
  assertEquals(world.warnings, []);
  world.stop.abort();
  await world.done;
  assertEquals(world.lives.every(({ hearing }) => hearing.signal.aborted), true);
});

Deno.test("keepFollowing() hears from the process that takes over what the other has printed and nobody has read", async () => {
  const world = openWorld({ maxLines: 2 });
  await world.pass(300);
  for (const line of ["one", "two"]) world.lives[0]?.hearing.hear(line);
  await world.pass(2400);
  world.lives[1]?.hearing.hear("both printed, long ago");
  await world.pass(500);
  world.lives[1]?.hearing.hear("both printed");
  await world.pass(100);
  assertEquals(world.heard, ["one", "two", "both printed"]);
  world.lives[0]?.hearing.hear("both printed");
  assertEquals(world.heard.length, 3);
  world.stop.abort();
  await world.done;
});

Deno.test("keepFollowing() starts anew when both end while one takes over from the other", async () => {
  const world = openWorld({ maxLines: 1 });
  await world.pass(300);
  world.lives[0]?.hearing.hear("one");
  await world.pass(0);
  for (const { end } of world.lives) end("it was ended by SIGKILL");
  await world.pass(99);
  assertEquals([world.lives.length, world.warnings.length], [2, 1]);
  await world.pass(301);
  assertEquals([world.lives.length, world.listening], [3, 2]);
  world.stop.abort();
  await world.done;
});
