import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { until } from "../../tests/lab/until.ts";
import { systemClock } from "../clock/clock.ts";
import type { Argv, CommandResult } from "../exec/command_runner.ts";
import { createLogger } from "../log/logger.ts";
import { createBirdControl } from "./bird_control.ts";
import type { BirdDriver } from "./bird_driver.ts";
import { createBirdDriver } from "./system_bird_driver.ts";
import { type FakeBird, fakeBird } from "./_fake_bird.ts";

const OK = "0002-Reading configuration from /x\n0003 Reconfigured\n";
const answers = (): string => OK;

interface Bench {
  readonly driver: BirdDriver & { close(): void };
  readonly directory: string;
  readonly config: string;
  readonly socket: string;
  /** What was run. */
  readonly spawned: Argv[];
  /** Messages of warnings. */
  readonly warned: string[];
}

interface Setting {
  /** What `bird -p` says. */
  readonly checked?: CommandResult;
}

async function withBench(body: (bench: Bench) => Promise<void>, { checked }: Setting = {}): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "flock-bird-" });
  const [config, socket] = [`${directory}/bird.conf`, `${directory}/bird.ctl`];
  const spawned: Argv[] = [];
  const run = (argv: Argv): Promise<CommandResult> => {
    spawned.push(argv);
    return Promise.resolve(checked ?? { code: 0, stdout: "", stderr: "" });
  };
  const warned: string[] = [];
  const logger = createLogger((line) => warned.push(JSON.parse(line).message), { level: "warn", now: () => 0 });
  const driver = createBirdDriver({
    runner: { run },
    clock: systemClock,
    logger,
    configPath: config,
    socketPath: socket,
  });
  try {
    await body({ driver, directory, config, socket, spawned, warned });
  } finally {
    driver.close();
    await Deno.remove(directory, { recursive: true });
  }
}

const filesOf = (directory: string): string[] => [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
const reloads = (bird: FakeBird): number => bird.commands.filter((command) => command.startsWith('configure "')).length;

Deno.test("apply() has the daemon check the text and take it in one question, and spawns nothing", async () => {
  await withBench(async ({ driver, directory, config, socket, spawned }) => {
    using bird = fakeBird(socket, answers);
    assertEquals(await driver.apply("one\n"), { applied: true });
    assertEquals(bird.commands, [`configure "${directory}/.bird.conf.new"`]);
    assertEquals(await Deno.readTextFile(config), "one\n");
    assertEquals((Deno.statSync(config).mode ?? 0) & 0o777, 0o640);
    assertEquals(filesOf(directory), ["bird.conf", "bird.ctl"]);
    assertEquals(spawned, []);
  });
});

Deno.test("apply() puts a text into the file that BIRD starts from when BIRD has taken it, not before", async () => {
  await withBench(async ({ driver, directory, config, socket }) => {
    const seen: string[][] = [];
    using _bird = fakeBird(socket, () => {
      const texts = [config, `${directory}/.bird.conf.new`].map((path) => Deno.readTextFileSync(path));
      seen.push(texts);
      return OK;
    });
    await Deno.writeTextFile(config, "zero\n");
    for (const text of ["one\n", "two\n"]) await driver.apply(text);
    assertEquals(seen, [["zero\n", "one\n"], ["one\n", "two\n"]]);
    assertEquals(await Deno.readTextFile(config), "two\n");
  });
});

Deno.test("apply() of an agent whose predecessor was killed between BIRD's word and the file goes by neither", async () => {
  await withBench(async ({ driver, directory, config, socket }) => {
    using bird = fakeBird(socket, answers);
    await Deno.writeTextFile(config, "before\n");
    await Deno.writeTextFile(`${directory}/.bird.conf.new`, "taken by BIRD, never in place\n");
    assertEquals(await driver.apply("before\n"), { applied: true });
    assertEquals([reloads(bird), await Deno.readTextFile(config)], [1, "before\n"]);
    assertEquals(filesOf(directory), ["bird.conf", "bird.ctl"]);
  });
});

Deno.test("apply() says what is so when the file cannot be replaced: in force, warned of once, written later", async () => {
  await withBench(async ({ driver, config, socket, warned }) => {
    using bird = fakeBird(socket, answers);
    await Deno.mkdir(`${config}/in the way`, { recursive: true });
    for (let i = 0; i < 3; i++) assertEquals(await driver.apply("one\n"), { applied: true });
    assertEquals(warned, ["BIRD's file not written"]);
    await Deno.remove(config, { recursive: true });
    assertEquals(await driver.apply("one\n"), { applied: true });
    assertEquals([reloads(bird), await Deno.readTextFile(config)], [1, "one\n"]);
  });
});

Deno.test("apply() of the text in force asks nothing, until BIRD has gone away", async () => {
  await withBench(async ({ driver, socket }) => {
    using bird = fakeBird(socket, answers);
    await driver.apply("one\n");
    for (let i = 0; i < 50; i++) assertEquals(await driver.apply("one\n"), { applied: true });
    assertEquals([bird.commands.length, bird.connections], [1, 1]);
    bird.hangUp();
    await until("the driver has heard of it", async () => {
      assertEquals(await driver.apply("one\n"), { applied: true });
      return bird.connections === 2;
    });
    assertEquals(reloads(bird), 2);
  });
});

Deno.test("apply() goes at once, then one reload per 20 ms, the last text wins", async () => {
  await withBench(async ({ driver, config, socket }) => {
    using bird = fakeBird(socket, answers);
    const start = performance.now();
    const outcomes = await Promise.all(Array.from({ length: 100 }, (_, i) => driver.apply(`text ${i}\n`)));
    const tookMs = performance.now() - start;
    assert(outcomes.every(({ applied }) => applied));
    assertEquals(await Deno.readTextFile(config), "text 99\n");
    assertEquals(reloads(bird), 2);
    assert(tookMs >= 19, `${tookMs} ms`);
  });
});

Deno.test("apply() of a refused text leaves the old one in place and in force", async () => {
  await withBench(async ({ driver, directory, config, socket }) => {
    const refusal = "8002 /x/.bird.conf.new:1:1 syntax error\n";
    let bad = false;
    using bird = fakeBird(socket, () => bad ? refusal : OK);
    await driver.apply("good\n");
    bad = true;
    const message = "/x/.bird.conf.new:1:1 syntax error";
    assertEquals(await driver.apply("bad\n"), { applied: false, reason: "refused", message });
    assertEquals([await Deno.readTextFile(config), reloads(bird)], ["good\n", 2]);
    assertEquals(filesOf(directory), ["bird.conf", "bird.ctl"]);
    assertEquals(await driver.apply("good\n"), { applied: true });
    assertEquals(reloads(bird), 2);
  });
});

Deno.test("apply() without a daemon checks by `bird -p` once, leaves the file for its start, and reloads when it comes", async () => {
  await withBench(async ({ driver, directory, config, socket, spawned }) => {
    for (let i = 0; i < 3; i++) {
      const outcome = await driver.apply("one\n");
      assert(!outcome.applied && outcome.reason === "unreachable");
      assertMatch(outcome.message, /^Cannot ask BIRD "configure /);
    }
    assertEquals(spawned, [["/usr/sbin/bird", "-p", "-c", `${directory}/.bird.conf.new`]]);
    assertEquals(await Deno.readTextFile(config), "one\n");
    using bird = fakeBird(socket, answers);
    assertEquals(await driver.apply("one\n"), { applied: true });
    assertEquals(bird.commands, [`configure "${config}"`]);
  });
});

Deno.test("apply() without a daemon refuses what `bird -p` refuses", async () => {
  const checked = { code: 1, stdout: "", stderr: "/x:2:3 syntax error\n" };
  await withBench(async ({ driver, directory }) => {
    const outcome = await driver.apply("bad\n");
    assertEquals(outcome, { applied: false, reason: "refused", message: "/x:2:3 syntax error" });
    assertEquals(filesOf(directory), []);
  }, { checked });
});

for (const before of [undefined, "earlier\n"]) {
  Deno.test(`apply() takes back a text that only the daemon refuses (${before ? "a file" : "no file"} before)`, async () => {
    await withBench(async ({ driver, config, socket }) => {
      if (before !== undefined) await Deno.writeTextFile(config, before);
      await driver.apply("too new\n");
      using _bird = fakeBird(socket, () => "8002 /x:1:1 syntax error\n");
      const outcome = await driver.apply("too new\n");
      assertEquals(outcome, { applied: false, reason: "refused", message: "/x:1:1 syntax error" });
      assertEquals(await Deno.readTextFile(config).catch(() => undefined), before);
    });
  });
}

for (const first of ["0004 Reconfiguration in progress\n", "0005 Reconfiguration already in progress, queueing\n"]) {
  Deno.test(`apply() waits out ${first.trim()}`, async () => {
    await withBench(async ({ driver, socket }) => {
      let looks = 0;
      const status = (): string =>
        ++looks < 3 ? "0013 Reconfiguration in progress\n" : "0013 Daemon is up and running\n";
      using _bird = fakeBird(socket, (command) => {
        return command === "show status" ? status() : first;
      });
      assertEquals(await driver.apply("one\n"), { applied: true });
      assertEquals(looks, 3);
    });
  });
}

Deno.test("apply() reloads a BIRD that came back, when sessions() has met it first", async () => {
  await withBench(async ({ driver, socket }) => {
    using bird = fakeBird(
      socket,
      (command) => command.startsWith("show") ? "8003 No protocols match\n" : OK,
    );
    await driver.apply("one\n");
    bird.hangUp();
    await systemClock.sleep(10);
    await driver.sessions();
    assertEquals([reloads(bird), bird.connections], [1, 2]);
    assertEquals(await driver.apply("one\n"), { applied: true });
    assertEquals(reloads(bird), 2);
  });
});

Deno.test("apply() puts its text back, when somebody changed the file, before a new BIRD is told to read it", async () => {
  await withBench(async ({ driver, config, socket }) => {
    using bird = fakeBird(socket, answers);
    await driver.apply("one\n");
    await Deno.writeTextFile(config, "by hand\n");
    bird.hangUp();
    await systemClock.sleep(10);
    assertEquals(await driver.apply("one\n"), { applied: true });
    assertEquals([await Deno.readTextFile(config), reloads(bird)], ["one\n", 2]);
  });
});

Deno.test("apply() rejects when the directory is not there, and tries again next time", async () => {
  await withBench(async ({ driver, directory, socket }) => {
    using _bird = fakeBird(socket, answers);
    await driver.apply("one\n");
    await Deno.rename(directory, `${directory}-away`);
    await assertRejects(() => driver.apply("two\n"), Deno.errors.NotFound);
    await Deno.rename(`${directory}-away`, directory);
    assertEquals(await driver.apply("two\n"), { applied: true });
  });
});

Deno.test("sessions() without any is empty, and rejects without a daemon", async () => {
  await withBench(async ({ driver, socket }) => {
    await assertRejects(() => driver.sessions(), Error, 'Cannot ask BIRD "show protocols');
    using _bird = fakeBird(socket, () => "8003 No protocols match\n");
    assertEquals(await driver.sessions(), []);
  });
});

Deno.test("a question that BIRD leaves unanswered fails in time, and its late answer is nobody's", async () => {
  await withBench(async ({ socket }) => {
    using bird = fakeBird(socket, (command) => command === "hang" ? undefined : `0000 ${command}\n`);
    const control = createBirdControl({ path: socket, clock: systemClock, timeoutMs: 50 });
    const [hung, answered] = await Promise.allSettled([control.ask("hang"), control.ask("next")]);
    assertEquals(hung.status, "rejected");
    assert(answered.status === "fulfilled");
    assertEquals(answered.value.lines[0]?.text, "next");
    assertEquals(bird.connections, 2);
    control.close();
  });
});

Deno.test("questions asked at once are answered in order over one connection", async () => {
  await withBench(async ({ socket }) => {
    using bird = fakeBird(socket, (command) => `0000 ${command}\n`);
    const control = createBirdControl({ path: socket, clock: systemClock });
    const start = performance.now();
    const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => control.ask(`question ${i}`)));
    assertEquals(replies.map(({ lines }) => lines[0]?.text), Array.from({ length: 20 }, (_, i) => `question ${i}`));
    assertEquals(bird.connections, 1);
    assertLess(performance.now() - start, 1000);
    control.close();
  });
});
