import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { CniError } from "../cnispec/cni_error.ts";
import type { KubeEvent } from "../kube/kube_client.ts";
import { createLogger } from "../log/logger.ts";
import { StateWriteFailed } from "../store/state.ts";
import { type Fixture, know, openFixture, rawPod, replayOf, request } from "./_agent_fixture.ts";
import { isPodReason } from "./event_reasons.ts";
import { LastRequests } from "./last_requests.ts";

const ID = "0123456789ab";
const POD = "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web-0;K8S_POD_UID=uid-1";

interface Scene {
  readonly fixture: Fixture;
  /** Lines of the log. */
  readonly lines: Record<string, unknown>[];
  /** The same, as text. */
  readonly raw: string[];
}

async function withAgent(play: (scene: Scene) => Promise<void>): Promise<void> {
  const raw: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => {
    raw.push(line);
    lines.push(JSON.parse(line));
  };
  await using fixture = await openFixture({ logger: createLogger(write, { level: "info", now: () => 0 }) });
  await play({ fixture, lines, raw });
}

function add(fixture: Fixture, requestId?: unknown): Promise<unknown> {
  return fixture.service.handle({ ...request(fixture, "ADD", { args: POD }), requestId });
}

/** Of the last Event. */
function told({ kube }: Fixture): KubeEvent | undefined {
  return kube.events.at(-1);
}

Deno.test("one id names a refused ADD in the answer, the log, the pod's Event and what is remembered", async () => {
  await withAgent(async ({ fixture, lines }) => {
    know(fixture, rawPod("web-0", { annotations: { "flock.fritzlab.net/ipv6": "maybe" } }));
    const error = await assertRejects(() => add(fixture, ID), CniError);
    assertStringIncludes(error.details, ID);
    const [line] = lines.filter(({ message }) => message === "request refused");
    const subject = [line?.["request"], line?.["container"], line?.["pod"], line?.["code"], line?.["reason"]];
    assertEquals(subject, [ID, "c1", "ns/web-0", 101, "InvalidAnnotation"]);
    assertEquals(typeof line?.["ms"], "number");
    const { involved, reason, requestId } = told(fixture) ?? {};
    assertEquals([involved?.uid, reason, requestId], ["uid-1", "InvalidAnnotation", ID]);
    const { verb, requestId: remembered, error: why } = fixture.lastRequests.lastOf("c1") ?? {};
    assertEquals([verb, remembered, why], ["ADD", ID, error.message]);
  });
});

Deno.test("one id names an ADD, its repetition and the DELs in the log and what is remembered, with addresses and how long they took", async () => {
  await withAgent(async ({ fixture, lines }) => {
    know(fixture, rawPod("web-0"));
    const of = (message: string): unknown[] =>
      lines.filter((line) => line["message"] === message).map(({ request: id }) => id);
    await add(fixture, ID);
    await add(fixture, "0123456789ac");
    for (const requestId of ["0123456789ad", "0123456789ae"]) {
      await fixture.service.handle({ ...request(fixture, "DEL"), requestId });
      assertEquals(fixture.lastRequests.lastOf("c1")?.requestId, requestId);
    }
    assertEquals([of("pod added"), of("pod is added already")], [[ID], ["0123456789ac"]]);
    assertEquals([of("pod deleted"), of("no pod to delete")], [["0123456789ad"], ["0123456789ae"]]);
    for (const name of ["pod added", "pod deleted"]) {
      const line = lines.find(({ message }) => message === name);
      assertEquals([line?.["container"], line?.["pod"], typeof line?.["ms"]], ["c1", "ns/web-0", "number"]);
      assert(String(line?.["ipv6"]).startsWith("2001:db8:f001:") && String(line?.["ipv4"]).startsWith("203.0.113."));
    }
  });
});

Deno.test("the agent makes an id for a request that has none, or none that it can believe", async () => {
  for (const given of [undefined, 7, "\u001b[2J", "x".repeat(1 << 16)]) {
    await withAgent(async ({ fixture, lines, raw }) => {
      const error = await assertRejects(() => add(fixture, given), CniError);
      const made = String(lines.at(-1)?.["request"]);
      assertMatch(made, /^[0-9a-f]{12}$/);
      assertEquals([error.details, told(fixture)?.requestId], [`request ${made}`, made]);
      assert(raw.join("").length < 2000);
    });
  }
});

Deno.test("a DEL that no agent was there to do is replayed under its id", async () => {
  await withAgent(async ({ fixture, lines }) => {
    know(fixture, rawPod("web-0"));
    await add(fixture, ID);
    const note = { containerId: "c1", ifname: "eth0", at: fixture.clock.wall() + 1, requestId: "0123456789ac" };
    fixture.clock.now += 2;
    await replayOf(fixture, [note]).replay();
    assertEquals(lines.find(({ message }) => message === "pod deleted")?.["request"], "0123456789ac");
  });
});

Deno.test("every refusal of an ADD is an Event on its pod, the same one however often it is tried", async () => {
  const refusals: readonly [string, (scene: Scene) => void][] = [
    ["PodUnknown", () => {}],
    ["StateNotWritten", ({ fixture }) => {
      fixture.ledger.reserve = () => Promise.reject(new StateWriteFailed("disk full"));
    }],
    ["AttachFailed", ({ fixture }) => {
      fixture.kernel.attach = () => Promise.reject(new CniError(11, "no", { reason: "AttachFailed" }));
    }],
    ["AddFailed", ({ fixture }) => {
      fixture.kernel.attach = () => Promise.reject(new Error("never seen before"));
    }],
  ];
  for (const [expected, spoil] of refusals) {
    await withAgent(async (scene) => {
      if (expected !== "PodUnknown") know(scene.fixture, rawPod("web-0"));
      spoil(scene);
      for (const id of ["c1", "c2"]) {
        await assertRejects(
          () => scene.fixture.service.handle(request(scene.fixture, "ADD", { id, args: POD })),
          Error,
        );
      }
      const { events } = scene.fixture.kube;
      assertEquals(events.map(({ reason, series, type }) => [reason, series, type]), [
        [expected, "", "Warning"],
        [expected, "", "Warning"],
      ]);
    });
  }
});

Deno.test("an ADD that is late has no Event: nobody waits for it", async () => {
  await withAgent(async ({ fixture }) => {
    know(fixture, rawPod("web-0"));
    const late = request(fixture, "ADD", { args: POD });
    fixture.clock.now += 10;
    await fixture.service.handle(request(fixture, "DEL"));
    await assertRejects(() => fixture.service.handle(late), CniError, "deleted while its ADD was under way");
    assertEquals([fixture.kube.events, isPodReason("DeletedMeanwhile")], [[], false]);
  });
});

Deno.test("whatever a pod writes in its annotations, answer, log line and Event are printable ASCII", async () => {
  const texts = ["a\nb", "\x1b[2J", "\u009b2J", "\x7f", "\u202etxt.exe", "\u2028", "\0", "\ud800", `"}{`];
  for (const key of ["ipv6", "cidr4", "anycast", "addresses", "ip-algo", "log-drops", "\u2028\x1b[2J"]) {
    for (const text of texts) {
      await withAgent(async ({ fixture, raw }) => {
        know(fixture, rawPod("web-0", { annotations: { [`flock.fritzlab.net/${key}`]: text } }));
        const answer = await add(fixture, ID).catch((error: CniError) => `${error.message} ${error.details}`);
        const events = fixture.kube.events.map(({ message }) => message);
        for (const said of [JSON.stringify(answer), ...events]) assertMatch(said, /^[\x20-\x7e]*$/, `${key} ${said}`);
        for (const line of raw) assertMatch(line, /^[\x20-\x7e]+\n$/);
        assert(raw.length > 0);
      });
    }
  }
});

Deno.test("LastRequests remembers the last request of each of the last thousand containers", () => {
  const lastRequests = new LastRequests();
  const record = (requestId: string) => ({ requestId, verb: "ADD" as const, at: 0, ms: 1 });
  for (let index = 0; index < 3000; index++) {
    lastRequests.note(`c${index}`, record(String(index)));
    lastRequests.note("c0", record("again"));
  }
  assertEquals(lastRequests.lastOf("c0")?.requestId, "again");
  assertEquals([lastRequests.lastOf("c1"), lastRequests.lastOf("c2999")?.requestId], [undefined, "2999"]);
});
