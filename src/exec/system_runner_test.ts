import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import type { Argv, ConversationProtocol } from "./command_runner.ts";
import { createSystemRunner } from "./system_runner.ts";

const shell = (script: string): Argv => ["/bin/sh", "-c", script];

/** A shell that runs every line it gets; the mark is written in two pieces where `pause` says so. */
function shellProtocol(options: { timeoutMs?: number; splitMark?: boolean; argv?: Argv } = {}): ConversationProtocol {
  return {
    argv: options.argv ?? ["/bin/sh"],
    markerLine: (n) =>
      options.splitMark ? `printf '<do' >&2; sleep 0.05; printf 'ne ${n}>' >&2` : `printf '<done ${n}>' >&2`,
    markerText: (n) => `<done ${n}>`,
    timeoutMs: options.timeoutMs ?? 5000,
  };
}

function isAlive(pid: number): boolean {
  return new Deno.Command("/bin/kill", { args: ["-0", String(pid)], stderr: "null" }).outputSync().success;
}

Deno.test("run() gives exit code and both outputs, whatever the code", async () => {
  const result = await createSystemRunner().run(shell("echo out; echo err >&2; exit 3"));
  assertEquals(result, { code: 3, stdout: "out\n", stderr: "err\n" });
});

Deno.test("run() hands over standard input and closes it", async () => {
  const result = await createSystemRunner().run(["/bin/cat"], { stdin: "one\ntwo\n" });
  assertEquals(result.stdout, "one\ntwo\n");
});

Deno.test("run() does not mind a process that leaves its input unread", async () => {
  const result = await createSystemRunner().run(shell("exit 0"), { stdin: "x".repeat(1 << 20) });
  assertEquals(result.code, 0);
});

Deno.test("run() gives a child LC_ALL=C, a home that cannot be written, and nothing else", async () => {
  const result = await createSystemRunner().run(["/usr/bin/env"]);
  assertEquals(result.stdout.trim().split("\n").toSorted(), ["HOME=/dev/null", "LC_ALL=C"]);
});

Deno.test("run() takes big output whole", async () => {
  const result = await createSystemRunner().run(shell("head -c 5000000 /dev/zero | tr '\\0' x"));
  assertEquals(result.stdout.length, 5_000_000);
});

Deno.test("run() kills a process that writes over the limit", async () => {
  const runner = createSystemRunner({ maxOutputBytes: 1000 });
  await assertRejects(() => runner.run(shell("exec yes")), Error, "wrote over 1000 bytes");
});

Deno.test("run() kills and reaps a process that does not end in time", async () => {
  const pidFile = await Deno.makeTempFile();
  const started = performance.now();
  await assertRejects(
    () => createSystemRunner().run(shell(`echo $$ > ${pidFile}; exec sleep 30`), { timeoutMs: 200 }),
    Error,
    "still running after 200 ms",
  );
  assertLess(performance.now() - started, 5000);
  // A killed but unreaped child would still take a signal.
  assert(!isAlive(Number(await Deno.readTextFile(pidFile))));
  await Deno.remove(pidFile);
});

Deno.test("run() returns at its time-out though a grandchild holds the pipes", async () => {
  const started = performance.now();
  await assertRejects(() => createSystemRunner().run(shell("sleep 3 & wait"), { timeoutMs: 200 }), Error, "killed");
  assertLess(performance.now() - started, 2500);
});

Deno.test("run() names a program that does not exist", async () => {
  const error = await assertRejects(
    () => createSystemRunner().run(["/does/not/exist", "-x"]),
    Error,
    "Cannot run /does/not/exist -x: the process does not start",
  );
  assert(error.cause instanceof Deno.errors.NotFound);
});

Deno.test("run() never has more processes than its bound", async () => {
  const dir = await Deno.makeTempDir();
  const runner = createSystemRunner({ maxProcesses: 2 });
  const script = `touch ${dir}/$$; ls ${dir} | wc -l; sleep 0.05; rm ${dir}/$$`;
  const results = await Promise.all(Array.from({ length: 6 }, () => runner.run(shell(script))));
  assert(results.every(({ stdout }) => Number(stdout) <= 2), JSON.stringify(results));
  await Deno.remove(dir, { recursive: true });
});

Deno.test("send() answers with what the block wrote, block after block, from one process", async () => {
  const conversation = createSystemRunner().converse(shellProtocol());
  const answers = await Promise.all([
    conversation.send(["echo a$$ >&2"]),
    conversation.send(["echo dropped", "echo b$$ >&2"]),
    conversation.send([]),
  ]);
  await conversation.close();
  const [first = "", second = "", third] = answers;
  assertEquals(first.slice(1), second.slice(1));
  assertEquals([first[0], second[0], third], ["a", "b", ""]);
});

Deno.test("send() knows a mark that arrives in two pieces", async () => {
  const conversation = createSystemRunner().converse(shellProtocol({ splitMark: true }));
  assertEquals(await conversation.send(["echo a >&2"]), "a\n");
  assertEquals(await conversation.send(["echo b >&2"]), "b\n");
  await conversation.close();
});

Deno.test("send() fails when the process dies, and the next one gets a new process", async () => {
  const conversation = createSystemRunner().converse(shellProtocol());
  await assertRejects(() => conversation.send(["echo last words >&2; exit 7"]), Error, "exit code 7");
  const error = await conversation.send(["echo again >&2"]);
  assertEquals(error, "again\n");
  await conversation.close();
});

Deno.test("send() kills a process that does not answer in time", async () => {
  const conversation = createSystemRunner().converse(shellProtocol({ timeoutMs: 200 }));
  const pid = Number(await conversation.send(["echo $$ >&2"]));
  await assertRejects(() => conversation.send(["exec sleep 30"]), Error, "no answer within 200 ms");
  assert(!isAlive(pid));
  assertEquals(await conversation.send(["echo back >&2"]), "back\n");
  await conversation.close();
});

Deno.test("send() starts anew when the process was killed between two calls", async () => {
  const conversation = createSystemRunner().converse(shellProtocol());
  const pid = Number(await conversation.send(["echo $$ >&2"]));
  Deno.kill(pid, "SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, 200));
  assertEquals(await conversation.send(["echo back >&2"]), "back\n");
  await conversation.close();
});

Deno.test("send() refuses a line that holds a line break, before anything is written", async () => {
  const conversation = createSystemRunner().converse(shellProtocol());
  await assertRejects(() => conversation.send(["echo a\necho b"]), Error, "a line breaks");
  await conversation.close();
});

Deno.test("send() numbers the mark by all lines of one process's life", async () => {
  const asked: number[] = [];
  const conversation = createSystemRunner().converse({
    ...shellProtocol(),
    markerText: (n, line) => {
      asked[n] = line;
      return `<done ${n}>`;
    },
  });
  await conversation.send(["true", "true"]);
  await conversation.send(["true"]);
  await conversation.close();
  assertEquals(asked.slice(1), [3, 5]);
});

Deno.test("close() ends the process, twice without harm, and nothing can be sent any more", async () => {
  const conversation = createSystemRunner().converse(shellProtocol());
  const pid = Number(await conversation.send(["echo $$ >&2"]));
  await Promise.all([conversation.close(), conversation.close()]);
  assert(!isAlive(pid));
  const error = await assertRejects(() => conversation.send([]), Error);
  assertStringIncludes(error.message, "the conversation is closed");
});

Deno.test("a program that does not exist fails the call, not the conversation's maker", async () => {
  const conversation = createSystemRunner().converse(shellProtocol({ argv: ["/does/not/exist"] }));
  await assertRejects(() => conversation.send([]), Error, "does not start");
  await conversation.close();
});

Deno.test("run() gives back characters whose bytes arrive apart", async () => {
  const result = await createSystemRunner().run(shell(`printf '\\303'; sleep 0.05; printf '\\274'`));
  assertEquals(result.stdout, "\u00fc");
});

Deno.test("run() that failed leaves its place to the next", async () => {
  const runner = createSystemRunner({ maxProcesses: 1 });
  await assertRejects(() => runner.run(["/does/not/exist"]), Error, "does not start");
  await assertRejects(() => runner.run(shell("exec sleep 30"), { timeoutMs: 50 }), Error, "killed");
  assertEquals((await runner.run(shell("echo on"), { timeoutMs: 5000 })).stdout, "on\n");
});

Deno.test("send() kills a process that writes over the limit, and the next one gets a new process", async () => {
  const conversation = createSystemRunner({ maxOutputBytes: 1000 }).converse(shellProtocol());
  const pid = Number(await conversation.send(["echo $$ >&2"]));
  await assertRejects(() => conversation.send(["printf '%05000d' 1 >&2; read -r rest"]), Error, "it writes too much");
  assert(!isAlive(pid));
  assertEquals(await conversation.send(["echo back >&2"]), "back\n");
  await conversation.close();
});

Deno.test("send() takes a mark of an earlier block for what it is: part of the answer", async () => {
  const conversation = createSystemRunner().converse(shellProtocol());
  await conversation.send([]);
  assertEquals(await conversation.send(["printf '<done 1>' >&2", "sleep 0.05"]), "<done 1>");
  await conversation.close();
});

Deno.test("close() waits for the answers that are owed, and kills a process that stays", async () => {
  const conversation = createSystemRunner().converse(shellProtocol());
  const pid = Number(await conversation.send(["echo $$ >&2"]));
  // Once its mark is written, this shell no longer reads its input.
  const owed = conversation.send([
    "stay() { while :; do sleep 0.2; done; }; trap stay EXIT; sleep 0.05; echo owed >&2",
  ]);
  await conversation.close();
  assertEquals(await owed, "owed\n");
  assert(!isAlive(pid));
});

Deno.test("close() before the first call starts nothing", async () => {
  const conversation = createSystemRunner().converse(shellProtocol({ argv: ["/does/not/exist"] }));
  await conversation.close();
});

Deno.test("follow() hears every line of both outputs as it comes, and the last without its newline", async () => {
  const heard: string[] = [];
  const { signal } = new AbortController();
  const how = await createSystemRunner().follow(shell("echo one; echo two >&2; seq 3000; printf end; exit 3"), {
    signal,
    hear: (line) => heard.push(line),
  });
  assertEquals(how, "it ended with exit code 3");
  assertEquals(heard.length, 3003);
  for (const line of ["one", "two", "1", "3000", "end"]) assert(heard.includes(line), line);
});

Deno.test("follow() kills and reaps its process when it is told to, and hears nothing more", async () => {
  const stop = new AbortController();
  const pids: number[] = [];
  const ended = createSystemRunner().follow(shell("echo $$; exec sleep 30"), {
    signal: stop.signal,
    hear: (line) => {
      pids.push(Number(line));
      stop.abort();
    },
  });
  assertEquals(await ended, "it was ended by SIGKILL");
  assertEquals(pids.map(isAlive), [false]);
});

Deno.test("follow() says when a process cannot be started", async () => {
  const { signal } = new AbortController();
  await assertRejects(
    () => createSystemRunner().follow(["/nowhere"], { signal, hear: () => {} }),
    Error,
    "does not start",
  );
});
