import { assertEquals, assertRejects } from "@std/assert";
import type { Clock } from "../clock/clock.ts";
import { LastWins } from "./_last_wins.ts";

/** A clock that stands still until it is told to go on. */
class StandingClock implements Clock {
  readonly asked: number[] = [];
  #wake: (() => void)[] = [];

  monotonic(): number {
    return 0;
  }

  wall(): number {
    return 0;
  }

  sleep(ms: number): Promise<void> {
    this.asked.push(ms);
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  async goOn(): Promise<void> {
    this.#wake.splice(0).forEach((wake) => wake());
    await turns();
  }
}

/** Work that ends when the test says so. */
class Workshop {
  readonly begun: string[] = [];
  #ends: PromiseWithResolvers<string>[] = [];

  readonly work = (value: string): Promise<string> => {
    this.begun.push(value);
    const end = Promise.withResolvers<string>();
    this.#ends.push(end);
    return end.promise;
  };

  async finish(error?: Error): Promise<void> {
    const value = this.begun.at(-1) ?? "";
    const end = this.#ends.shift();
    if (error === undefined) end?.resolve(`did ${value}`);
    else end?.reject(error);
    await turns();
  }
}

/** Lets everything run that waits for nothing. */
function turns(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

function lastWins(delays: number[] = []): { queue: LastWins<string, string>; shop: Workshop; clock: StandingClock } {
  const [shop, clock] = [new Workshop(), new StandingClock()];
  return { queue: new LastWins(shop.work, { clock, delayOf: () => delays.shift() ?? 0 }), shop, clock };
}

Deno.test("LastWins begins the first value at once", () => {
  const { queue, shop } = lastWins();
  void queue.submit("a");
  assertEquals(shop.begun, ["a"]);
});

Deno.test("LastWins works on one value at a time, and only on the newest of those that came meanwhile", async () => {
  const { queue, shop } = lastWins();
  const outcomes = ["a", "b", "c", "d"].map((value) => queue.submit(value));
  assertEquals(shop.begun, ["a"]);
  await shop.finish();
  assertEquals(shop.begun, ["a", "d"]);
  await shop.finish();
  assertEquals(await Promise.all(outcomes), ["did a", "did d", "did d", "did d"]);
  void queue.submit("e");
  assertEquals(shop.begun, ["a", "d", "e"]);
});

Deno.test("LastWins takes the newest value after a pause, and asks again how long that one must wait", async () => {
  const { queue, shop, clock } = lastWins([15, 5, 0]);
  const first = queue.submit("a");
  const second = queue.submit("b");
  assertEquals([clock.asked, shop.begun], [[15], []]);
  await clock.goOn();
  assertEquals([clock.asked, shop.begun], [[15, 5], []]);
  await clock.goOn();
  assertEquals(shop.begun, ["b"]);
  await shop.finish();
  assertEquals(await Promise.all([first, second]), ["did b", "did b"]);
});

Deno.test("LastWins tells a failure to those whose value it was, and goes on with the next", async () => {
  const { queue, shop } = lastWins();
  const first = assertRejects(() => queue.submit("a"), Error, "disk full");
  const second = queue.submit("b");
  await shop.finish(new Error("disk full"));
  await first;
  await shop.finish();
  assertEquals(await second, "did b");
});
