import { assert, assertEquals } from "@std/assert";
import { silentLogger, StillClock, until } from "./_api_fixture.ts";
import { KubeError, type KubeEvent, type KubeObject } from "./kube_client.ts";
import { createEventRecorder, type EventRecorder, type EventWriter } from "./record_events.ts";

/** A server that keeps Events: path -> Event. */
class EventStore implements EventWriter {
  readonly events = new Map<string, KubeObject>();
  readonly calls: string[] = [];
  failing = false;
  refusing = false;

  create(path: string, event: KubeObject): Promise<void> {
    const metadata = event["metadata"];
    assert(typeof metadata === "object" && metadata !== null && "name" in metadata);
    return this.#do("create", () => this.events.set(`${path}/${metadata.name}`, event));
  }

  patch(path: string, patch: KubeObject): Promise<void> {
    return this.#do("patch", () => {
      const event = this.events.get(path);
      if (event === undefined) throw new KubeError("gone", 404);
      this.events.set(path, { ...event, ...patch });
    });
  }

  async get(path: string): Promise<KubeObject | undefined> {
    await this.#do("get", () => {});
    return this.events.get(path);
  }

  // deno-lint-ignore require-await -- a failure is to be a rejection
  async #do(call: string, act: () => void): Promise<void> {
    this.calls.push(call);
    if (this.failing) throw new KubeError("down", undefined);
    if (this.refusing) throw new KubeError("namespace is terminating", 403);
    act();
  }
}

interface Scene {
  readonly store: EventStore;
  readonly clock: StillClock;
  readonly recorder: EventRecorder;
}

function scene(subject: string, play: (scene: Scene) => Promise<void>): void {
  Deno.test(`createEventRecorder() ${subject}`, async () => {
    const [store, clock] = [new EventStore(), new StillClock()];
    const recorder = createEventRecorder(store, { clock, logger: silentLogger });
    await play({ store, clock, recorder });
    recorder.stop();
  });
}

const event = (message: string, name = "web-0"): KubeEvent => ({
  involved: { apiVersion: "v1", kind: "Pod", namespace: "shop", name },
  type: "Warning",
  reason: "InvalidAnnotation",
  message,
});
const counts = (store: EventStore): unknown[] => [...store.events.values()].map((kept) => kept["count"]);

scene("counts the same event up instead of adding another", async ({ store, clock, recorder }) => {
  recorder.record(event("x"));
  await until(() => counts(store)[0] === 1);
  clock.advance(60_000);
  recorder.record(event("x"));
  await until(() => counts(store)[0] === 2);
  const [kept] = store.events.values();
  assertEquals(store.calls, ["get", "create", "patch"]);
  assert(String(kept?.["lastTimestamp"]) > String(kept?.["firstTimestamp"]));
});

scene("keeps events apart by message and by object", async ({ store, recorder }) => {
  for (const different of [event("x"), event("y"), event("x", "web-1")]) recorder.record(different);
  await until(() => store.events.size === 3);
});

scene("counts on where an agent before it stopped", async ({ store, recorder }) => {
  recorder.record(event("x"));
  await until(() => counts(store)[0] === 1);
  const after = createEventRecorder(store, { clock: new StillClock(), logger: silentLogger });
  after.record(event("x"));
  await until(() => counts(store)[0] === 2);
  after.stop();
});

scene("writes an event anew that the server has forgotten", async ({ store, clock, recorder }) => {
  recorder.record(event("x"));
  await until(() => store.events.size === 1);
  store.events.clear();
  clock.advance(60_000);
  recorder.record(event("x"));
  await until(() => store.events.size === 1);
});

scene("sends 25 at once, then 25 a minute, the oldest dropped", async ({ store, clock, recorder }) => {
  for (let i = 0; i < 200; i++) recorder.record(event(`m${i}`));
  await until(() => store.events.size === 25);
  await settle();
  assertEquals(store.events.size, 25);
  for (let second = 0; second < 60; second++) {
    clock.advance(1000);
    await settle();
  }
  assertEquals(store.events.size, 50);
  // One was taken before the queue filled; then the newest hundred remained.
  const messages = [...store.events.values()].map((kept) => kept["message"]);
  assertEquals([messages[0], messages[1], messages[49]], ["m0", "m100", "m148"]);
});

scene("tells a server that was away when it is back, in the order and as often as it happened", async (scene) => {
  const { store, clock, recorder } = scene;
  store.failing = true;
  recorder.record(event("x"));
  await until(() => store.calls.length === 1);
  recorder.record(event("y"));
  recorder.record(event("x"));
  await settle();
  store.failing = false;
  clock.advance(5_000);
  await until(() => store.events.size === 2);
  assertEquals([...store.events.values()].map(({ message, count }) => [message, count]), [["x", 2], ["y", 1]]);
});

scene("drops what the server refuses, and goes on", async ({ store, recorder }) => {
  store.refusing = true;
  recorder.record(event("x"));
  await until(() => store.calls.length === 1);
  await settle();
  store.refusing = false;
  recorder.record(event("y"));
  await until(() => store.events.size === 1);
  assertEquals([...store.events.values()].map(({ message }) => message), ["y"]);
});

scene("counts what flaps once a minute, with its newest message, and holds up nothing else", async (scene) => {
  const { store, clock, recorder } = scene;
  const flap = (message: string): void => recorder.record({ ...event(message), series: "192.0.2.1" });
  for (let second = 0; second < 120; second++) {
    flap(`down since ${second}`);
    if (second === 30) recorder.record(event("other"));
    await settle();
    clock.advance(1000);
  }
  await settle();
  const kept = [...store.events.values()].map(({ message, count }) => [message, count]);
  assertEquals(kept, [["down since 119", 120], ["other", 1]]);
  assertEquals(store.calls, ["get", "create", "get", "create", "patch", "patch"]);
});

scene("names the newest request, which makes no other event", async ({ store, clock, recorder }) => {
  recorder.record({ ...event("x"), requestId: "000000000001" });
  await until(() => store.events.size === 1);
  clock.advance(60_000);
  recorder.record({ ...event("x"), requestId: "000000000002" });
  await until(() => counts(store)[0] === 2);
  assertEquals([...store.events.values()].map(({ message }) => message), ["x; request 000000000002"]);
});

scene("cuts a long message, but not the request", async ({ store, recorder }) => {
  recorder.record({ ...event("x".repeat(2000)), requestId: "000000000001" });
  await until(() => store.events.size === 1);
  const message = String(store.events.values().next().value?.["message"]);
  assertEquals([message.length, message.endsWith("x; request 000000000001")], [1024, true]);
});

scene("cuts a message to 1024 bytes between characters", async ({ store, recorder }) => {
  recorder.record(event("\u00e9".repeat(600) + "x"));
  await until(() => store.events.size === 1);
  const [kept] = store.events.values();
  assertEquals(kept?.["message"], "\u00e9".repeat(512));
});

scene("names an event of a long-named object within 253 characters", async ({ store, recorder }) => {
  recorder.record(event("x", "n".repeat(253)));
  await until(() => store.events.size === 1);
  const [path] = store.events.keys();
  assert((path?.split("/").at(-1) ?? "").length <= 253);
});

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve, 1));
}
