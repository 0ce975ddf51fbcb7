import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../clock/clock.ts";
import { createBirdControl } from "./bird_control.ts";
import { fakeBird } from "./_fake_bird.ts";

async function withSocket(body: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "flock-bird-" });
  try {
    await body(`${directory}/bird.ctl`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("ask() of a BIRD that never greets fails in time, and leaves no connection", async () => {
  await withSocket(async (path) => {
    using stopped = Deno.listen({ transport: "unix", path });
    const control = createBirdControl({ path, clock: systemClock, timeoutMs: 50 });
    await assertRejects(
      () => control.ask("show status"),
      Error,
      'Cannot ask BIRD "show status": no answer within 50 ms',
    );
    assertEquals(control.connection(), undefined);
    const conn = await stopped.accept();
    const late = setTimeout(() => conn.close(), 2000);
    assertEquals(await conn.read(new Uint8Array(64)), null);
    clearTimeout(late);
    conn.close();
  });
});

Deno.test("connection() has another name after BIRD went away, and none in between", async () => {
  await withSocket(async (path) => {
    using bird = fakeBird(path, (command) => `0000 ${command}\n`);
    const control = createBirdControl({ path, clock: systemClock });
    assertEquals(control.connection(), undefined);
    await control.ask("one");
    const first = control.connection();
    await control.ask("two");
    assertEquals(control.connection(), first);
    bird.hangUp();
    while (control.connection() !== undefined) await systemClock.sleep(1);
    await control.ask("three");
    assert(control.connection() !== undefined && control.connection() !== first);
    control.close();
    control.close();
    assertEquals(control.connection(), undefined);
  });
});

Deno.test("ask() of a BIRD that dies over the question fails at once, and the next one connects anew", async () => {
  await withSocket(async (path) => {
    using bird = fakeBird(path, (command) => {
      if (command !== "die") return `0000 ${command}\n`;
      bird.hangUp();
      return undefined;
    });
    const control = createBirdControl({ path, clock: systemClock, timeoutMs: 60_000 });
    await assertRejects(() => control.ask("die"), Error, 'Cannot ask BIRD "die": BIRD closed the connection');
    assertEquals((await control.ask("live")).lines[0]?.text, "live");
    control.close();
  });
});

Deno.test("ask() of something else that listens there says what it said", async () => {
  await withSocket(async (path) => {
    using _web = fakeBird(path, () => "HTTP/1.1 400 Bad Request\r\n");
    const control = createBirdControl({ path, clock: systemClock });
    await assertRejects(() => control.ask("show status"), Error, "unexpected line");
    assertEquals(control.connection(), undefined);
  });
});
