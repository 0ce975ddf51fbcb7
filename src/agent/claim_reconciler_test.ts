import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { KubeError } from "../kube/kube_client.ts";
import { AttachFailed } from "../link/attachment_driver.ts";
import { CONFIG, type Fixture, know, logger, openFixture, prefix, rawPod, request, restart } from "./_agent_fixture.ts";
import { ANSWER_MS } from "./claim_answers.ts";
import { ClaimInquiry } from "./claim_inquiry.ts";
import { ClaimReconciler } from "./claim_reconciler.ts";
import type { OtherNode } from "./cluster_prefixes.ts";
import { ContainerQueue } from "./container_queue.ts";
import { PodEvents } from "./pod_events.ts";

interface Opened {
  readonly fixture: Fixture;
  /** What was done to guard, kernel and routers, in order. */
  readonly done: string[];
  readonly queue: ContainerQueue;
  /** Of what the reconciler waits for. */
  readonly clock: HandClock;
  readonly died: Promise<void>;
  pass(): Promise<void>;
  /** Gives the pod these annotations, as the watch sees them. */
  edit(name: string, annotations: Record<string, string>): void;
  add(name: string, annotations?: Record<string, string>): Promise<void>;
}

/** @param options `of` is an earlier life; the agent stops for good `dieAt` a step: granted, bound, told or unbound for the first time */
async function open(
  { of: earlier, dieAt, otherNodes = [] }: { of?: Fixture; dieAt?: string; otherNodes?: readonly OtherNode[] } = {},
): Promise<Opened> {
  const fixture = earlier ?? await openFixture();
  const { ledger, kernel, guard, kube } = fixture;
  const done: string[] = [];
  const queue = new ContainerQueue();
  const clock = new HandClock();
  const passed: string[] = [];
  const died = Promise.withResolvers<void>();
  const pastStep = async (step: string): Promise<void> => {
    passed.push(step);
    if (step !== dieAt || passed.filter((each) => each === step).length > 1) return;
    died.resolve();
    await new Promise(() => {});
  };
  const texts = (grants: readonly { address: { text: string } }[]): string =>
    grants.map(({ address }) => address.text).join(" ");
  const reconciler = new ClaimReconciler({
    ...{ ledger, logger, pods: { items: fixture.watched }, queue, events: new PodEvents(kube) },
    guard: {
      grant: async (grants) => {
        await guard.grant(grants);
        await pastStep("granted");
      },
      revoke: (grants) => {
        done.push(`revoke ${texts(grants)}`);
        return guard.revoke(grants);
      },
    },
    driver: {
      rebind: async (before, after) => {
        const lo = (of: typeof before): string => of.anycast?.map(({ text }) => text).join(" ") ?? "";
        done.push(`rebind ${of(before.addresses)}|${lo(before)} -> ${of(after.addresses)}|${lo(after)}`);
        await kernel.rebind(before, after);
        await pastStep(passed.includes("told") ? "unbound" : "bound");
      },
    },
    terms: () => ({ config: CONFIG, mtu: 1500, network: { addresses: [] }, foreign: [], otherNodes }),
    inquiry: new ClaimInquiry(kube),
    clock,
    addressesChanged: () => void done.push("again"),
    drifted: () => {},
    netnsGone: (of) => kernel.netnsGone(of),
    announce: async () => {
      done.push(`announce ${ledger.all().flatMap(({ anycast = [] }) => anycast)}`);
      await pastStep("told");
    },
  });
  const of = (addresses: readonly { text: string; family: number }[]): string =>
    addresses.filter(({ family }) => family === 4).map(({ text }) => text).join(" ");
  const edit = (name: string, annotations: Record<string, string>): void => {
    const own = Object.entries(annotations).map(([key, value]) => [`flock.fritzlab.net/${key}`, value]);
    know(fixture, rawPod(name, { uid: `uid-${name}`, annotations: Object.fromEntries(own) }));
  };
  const add = async (name: string, annotations: Record<string, string> = {}): Promise<void> => {
    edit(name, annotations);
    const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=${name};K8S_POD_UID=uid-${name}`;
    await fixture.service.handle(request(fixture, "ADD", { id: name, args }));
  };
  return { fixture, done, queue, clock, died: died.promise, pass: () => reconciler.pass(), edit, add };
}

function granted({ guard }: Fixture): string[] {
  return [...guard.grants ?? []].map((grant) => grant.split(" ").at(-1) ?? "").filter((text) => !text.includes(":"))
    .sort();
}

Deno.test("ClaimReconciler binds what an annotation adds, records it, and then leads routers there", async () => {
  const { fixture, done, pass, edit, add } = await open();
  await using _ = fixture;
  await add("a");
  await pass();
  assertEquals(done, []);
  edit("a", { anycast: "192.0.2.53" });
  await pass();
  assertEquals(done, ["rebind 203.0.113.2| -> 203.0.113.2|192.0.2.53", "announce 192.0.2.53"]);
  assertEquals([granted(fixture), fixture.ledger.all()[0]?.anycast], [["192.0.2.53", "203.0.113.2"], ["192.0.2.53"]]);
  await pass();
  assertEquals(done.length, 2);
});

Deno.test("ClaimReconciler unbinds what an annotation lists no more once routers were told", async () => {
  const { fixture, done, pass, edit, add } = await open();
  await using _ = fixture;
  await add("a", { anycast: "192.0.2.53,192.0.2.54" });
  edit("a", { anycast: "192.0.2.54,192.0.2.55" });
  await pass();
  assertEquals(done, [
    "rebind 203.0.113.2|192.0.2.53 192.0.2.54 -> 203.0.113.2|192.0.2.53 192.0.2.54 192.0.2.55",
    "announce 192.0.2.54,192.0.2.55",
    "rebind 203.0.113.2|192.0.2.54 192.0.2.55 192.0.2.53 -> 203.0.113.2|192.0.2.54 192.0.2.55",
    "revoke 192.0.2.53",
  ]);
  assertEquals(granted(fixture), ["192.0.2.54", "192.0.2.55", "203.0.113.2"]);
});

Deno.test("ClaimReconciler binds and unbinds secondary addresses; the one that the pod is known by stays, and an Event says so", async () => {
  const { fixture, pass, edit, add } = await open();
  await using _ = fixture;
  await add("a", { addresses: "192.0.2.7,192.0.2.8" });
  edit("a", { addresses: "192.0.2.7,192.0.2.9" });
  await pass();
  assertEquals(granted(fixture), ["192.0.2.7", "192.0.2.9"]);
  assertEquals(fixture.kube.events, []);
  edit("a", { addresses: "192.0.2.10,192.0.2.9,192.0.2.7" });
  for (const _ of [1, 2]) await pass();
  assertEquals(granted(fixture), ["192.0.2.7", "192.0.2.9"]);
  const message =
    'annotation flock.fritzlab.net/addresses "192.0.2.10": takes effect with the next sandbox: this one keeps 192.0.2.7';
  assertEquals(fixture.kube.events.map((event) => [event.reason, event.message]), [["PrimaryAddressKept", message]]);
  edit("a", {});
  await pass();
  assertEquals([granted(fixture), fixture.ledger.all()[0]?.ipv4], [["192.0.2.7"], "192.0.2.7"]);
});

Deno.test("ClaimReconciler: a pod from the pool gets no claimed address in its place", async () => {
  const { fixture, done, pass, edit, add } = await open();
  await using _ = fixture;
  await add("a");
  edit("a", { addresses: "192.0.2.7" });
  await pass();
  assertEquals([done, granted(fixture)], [[], ["203.0.113.2"]]);
  assertEquals(fixture.kube.events.map(({ reason }) => reason), ["PrimaryAddressKept"]);
});

Deno.test("ClaimReconciler gives a pod the address that another one had, once that is gone", async () => {
  const { fixture, pass, edit, add } = await open();
  await using _ = fixture;
  await add("holder", { addresses: "192.0.2.99" });
  await add("a");
  edit("a", { anycast: "192.0.2.99" });
  for (const _ of [1, 2]) await pass();
  assertEquals([granted(fixture), fixture.kube.events.length], [["192.0.2.99", "203.0.113.2"], 1]);
  await fixture.service.handle(request(fixture, "DEL", { id: "holder" }));
  await pass();
  assertEquals(fixture.ledger.all()[0]?.anycast, ["192.0.2.99"]);
});

Deno.test("ClaimReconciler: an edit that is no good changes nothing, and is told once", async () => {
  const { fixture, done, pass, edit, add } = await open();
  await using _ = fixture;
  await add("holder", { addresses: "192.0.2.99" });
  await add("a", { ipv6: "false", anycast: "192.0.2.53" });
  for (
    const [anycast, rule] of [
      ["192.0.2.54,127.0.0.1", "must not be a loopback address"],
      ["192.0.2.54,2001:db8::1", "its sandbox has no IPv6"],
      ["192.0.2.54,192.0.2.99", "must not be an address that pod ns/holder has"],
    ] as const
  ) {
    edit("a", { ipv6: "false", anycast });
    for (const _ of [1, 2]) await pass();
    const [event, ...more] = fixture.kube.events.splice(0);
    assertStringIncludes(event?.message ?? "", rule);
    assertEquals([done, more], [[], []]);
  }
  edit("a", { ipv6: "false", anycast: "192.0.2.54" });
  await pass();
  assertEquals(granted(fixture), ["192.0.2.54", "192.0.2.99", "203.0.113.2"]);
});

Deno.test("ClaimReconciler tells again of the same bad edit when the one before was taken back meanwhile", async () => {
  const { fixture, pass, edit, add } = await open();
  await using _ = fixture;
  const good = { addresses: "192.0.2.7", anycast: "192.0.2.53" };
  await add("a", good);
  for (const bad of [{ ...good, anycast: "127.0.0.1" }, { ...good, addresses: "192.0.2.8" }]) {
    for (const annotations of [bad, good, bad]) {
      edit("a", annotations);
      for (const _ of [1, 2]) await pass();
    }
    const told = fixture.kube.events.splice(0).map(({ reason, message }) => `${reason} ${message}`);
    assertEquals([told.length, new Set(told).size], [2, 1]);
  }
});

Deno.test("ClaimReconciler: an address that could not be bound is nobody else's until it is gone; one that could not be unbound is unbound later", async () => {
  const { fixture, pass, edit, add } = await open();
  await using _ = fixture;
  await add("a", { anycast: "192.0.2.53" });
  fixture.kernel.failWith = new AttachFailed("failed", "Cannot attach: no");
  edit("a", { anycast: "192.0.2.53,203.0.113.6" });
  await assertRejects(pass, AttachFailed);
  assertEquals(fixture.ledger.all()[0]?.anycast, ["192.0.2.53"]);
  fixture.kernel.failWith = undefined;
  await assertRejects(() => add("b", { addresses: "203.0.113.6" }), Error, "it is in use");
  edit("a", {});
  await pass();
  assertEquals(granted(fixture), ["203.0.113.2"]);
  await add("b", { addresses: "203.0.113.6" });
  edit("b", { addresses: "203.0.113.6", anycast: "192.0.2.53" });
  await pass();
  edit("b", { addresses: "203.0.113.6" });
  const rebind = fixture.kernel.rebind.bind(fixture.kernel);
  let failures = 1;
  fixture.kernel.rebind = (before, after) =>
    (after.anycast ?? []).length === 0 && failures-- > 0 ? Promise.reject(new Error("busy")) : rebind(before, after);
  await assertRejects(pass, Error, "busy");
  assertEquals(fixture.ledger.all()[1]?.anycast, undefined);
  await pass();
  assertEquals(fixture.kernel.links.values().toArray()[1]?.anycast, undefined);
});

Deno.test("ClaimReconciler leaves the edit of a pod whose sandbox has ended to its DEL, without a failure; where only the link is gone it fails", async () => {
  const { fixture, done, pass, edit, add } = await open();
  await using _ = fixture;
  await add("a", { anycast: "192.0.2.53" });
  const [link] = fixture.kernel.links.values();
  assert(link !== undefined);
  edit("a", { anycast: "192.0.2.54" });
  fixture.kernel.links.clear();
  await assertRejects(pass, AttachFailed, "it is gone");
  fixture.kernel.links.set(link.hostLink, link);
  fixture.kernel.vanish(link.netns);
  done.length = 0;
  for (let again = 0; again < 3; again++) await pass();
  assertEquals([done.filter((what) => what.startsWith("announce")), fixture.ledger.all()[0]?.anycast], [[], [
    "192.0.2.53",
  ]]);
  await fixture.service.handle(request(fixture, "DEL", { id: "a" }));
  assertEquals([fixture.ledger.all(), granted(fixture)], [[], []]);
});

Deno.test("ClaimReconciler: an agent that was killed between any two steps of an edit leaves nothing behind, though the edit is undone", async () => {
  for (const step of ["granted", "bound", "told", "unbound"]) {
    const { fixture, pass, edit, add, died } = await open({ dieAt: step });
    await using _ = fixture;
    await add("a", { ipv6: "false", anycast: "192.0.2.53", addresses: "192.0.2.7,192.0.2.8" });
    edit("a", { anycast: "192.0.2.54", addresses: "192.0.2.7,192.0.2.9" });
    void pass(); // never ends
    await died;
    await fixture.ledger.flush();
    const next = await open({ of: await restart(fixture) });
    next.edit("a", { addresses: "192.0.2.7" });
    await next.pass();
    assertEquals(granted(next.fixture), ["192.0.2.7"], step);
    const [link] = next.fixture.kernel.links.values();
    assertEquals([link?.anycast, link?.addresses.length], [undefined, 1], step);
    await next.add("b", { ipv6: "false", addresses: "192.0.2.8,192.0.2.9,192.0.2.53,192.0.2.54" });
  }
});

Deno.test("ClaimReconciler: an address moves between interface and lo by way of neither; one that the pod is known by does not", async () => {
  const { fixture, pass, edit, add, done } = await open();
  await using _ = fixture;
  await add("a", { addresses: "192.0.2.7,192.0.2.8" });
  edit("a", { addresses: "192.0.2.7", anycast: "192.0.2.8" });
  await pass();
  assertEquals(done, [
    "announce ",
    "rebind 192.0.2.7 192.0.2.8| -> 192.0.2.7|",
    "revoke 192.0.2.8",
    "rebind 192.0.2.7| -> 192.0.2.7|192.0.2.8",
    "announce 192.0.2.8",
  ]);
  assertEquals(granted(fixture), ["192.0.2.7", "192.0.2.8"]);
  edit("a", { anycast: "192.0.2.7" });
  await pass();
  assertEquals(granted(fixture), ["192.0.2.7"]);
  assertEquals(fixture.kube.events.map(({ reason }) => reason), ["PrimaryAddressKept"]);
});

Deno.test("ClaimReconciler: what two pods get at once both get, and what one gives up is its until it is gone", async () => {
  const { fixture, pass, edit, add, done } = await open();
  await using _ = fixture;
  for (const name of ["a", "b"]) await add(name, { anycast: "192.0.2.53" });
  const rebind = fixture.kernel.rebind.bind(fixture.kernel);
  fixture.kernel.rebind = async (before, after) => {
    await rebind(before, after);
    await add("late", { anycast: "203.0.113.6" }); // while it is being bound for a
    fixture.kernel.rebind = rebind;
  };
  edit("a", { anycast: "203.0.113.6" });
  await pass();
  assertEquals(fixture.ledger.all().map(({ anycast }) => anycast?.join()), [
    "203.0.113.6",
    "192.0.2.53",
    "203.0.113.6",
  ]);
  for (const id of ["late", "a"]) await fixture.service.handle(request(fixture, "DEL", { id }));
  await add("own", { addresses: "203.0.113.6" });
  assertEquals(done.at(-1), "revoke 192.0.2.53");
});

Deno.test("ClaimReconciler comes back to a pod that was busy, and says each of two things once", async () => {
  const { fixture, pass, edit, add, done, queue } = await open();
  await using _ = fixture;
  await add("holder", { addresses: "192.0.2.99" });
  await add("a");
  edit("a", { addresses: "192.0.2.7", anycast: "192.0.2.99" });
  for (const _ of [1, 2, 3]) await pass();
  assertEquals(fixture.kube.events.map(({ reason }) => reason), ["PrimaryAddressKept", "InvalidAnnotation"]);
  edit("a", { anycast: "192.0.2.53" });
  const { promise, resolve } = Promise.withResolvers<void>();
  const check = queue.run("a", () => promise);
  for (const _ of [1, 2]) await pass();
  assertEquals(done, []);
  resolve();
  await check;
  while (done.length === 0) await Promise.resolve();
  assertEquals(done, ["again"]);
  await pass();
  assertEquals(fixture.ledger.all()[1]?.anycast, ["192.0.2.53"]);
});

Deno.test("ClaimReconciler keeps what a pod is known by, though nothing but the kernel tells of it; IPAM gives it to nobody else", async () => {
  const { fixture, add } = await open();
  await using _ = fixture;
  await add("a", { addresses: "203.0.113.6,203.0.113.3", anycast: "192.0.2.53" });
  const list = fixture.kernel.list.bind(fixture.kernel);
  fixture.kernel.list = async () =>
    // by number, as ip does
    (await list()).map((each) => ({ ...each, addresses: each.addresses.toReversed() }));
  await using again = await restart(fixture, { directory: await Deno.makeTempDir() });
  const next = await open({ of: again });
  const annotations = { "flock.fritzlab.net/addresses": "203.0.113.5,203.0.113.3" };
  know(again, { ...rawPod("a", { annotations }), status: { podIPs: [{ ip: "203.0.113.6" }] } });
  await next.pass();
  assertEquals(granted(again), ["203.0.113.3", "203.0.113.6"]);
  for (const name of ["b", "c", "d"]) await next.add(name);
  assertEquals(again.ledger.all().map(({ ipv4 }) => ipv4), [
    "203.0.113.3",
    "203.0.113.2",
    "203.0.113.4",
    "203.0.113.5",
  ]);
});

const NODE_B: OtherNode = { name: "node-b", prefixes: [prefix("198.51.100.0/24")], others: [] };
const PODS_OF_B = "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-b";

Deno.test("ClaimReconciler refuses the address of another node's pod, and gives it once that is gone", async () => {
  const { fixture, clock, pass, edit, add } = await open({ otherNodes: [NODE_B] });
  await using _ = fixture;
  const holder = { ...rawPod("web"), status: { podIPs: [{ ip: "198.51.100.7" }] } };
  fixture.kube.pods.set(PODS_OF_B, { items: [holder] });
  await add("a");
  edit("a", { anycast: "198.51.100.7" });
  for (const _ of [1, 2]) {
    await pass();
    await clock.pass(0);
  }
  const message =
    'annotation flock.fritzlab.net/anycast "198.51.100.7": must not be an address that pod ns/web on node-b has';
  assertEquals(fixture.kube.events.map((event) => [event.reason, event.message]), [["InvalidAnnotation", message]]);
  assertEquals(granted(fixture), ["203.0.113.2"]);
  fixture.kube.pods.set(PODS_OF_B, { items: [] });
  await clock.pass(ANSWER_MS);
  for (const _ of [1, 2]) {
    await pass();
    await clock.pass(0);
  }
  assertEquals([granted(fixture), fixture.kube.reads], [["198.51.100.7", "203.0.113.2"], 2]);
});

Deno.test("ClaimReconciler lets an address of another node's CIDR wait while the API server does not tell whose it is, with an Event", async () => {
  const { fixture, clock, done, pass, edit, add } = await open({ otherNodes: [NODE_B] });
  await using _ = fixture;
  fixture.kube.failure = new KubeError("Cannot GET: refused", undefined);
  await add("a");
  edit("a", { anycast: "198.51.100.7,192.0.2.53" });
  for (const _ of [1, 2]) {
    await pass();
    await clock.pass(0);
  }
  assertEquals([fixture.kube.events.map(({ reason }) => reason), granted(fixture)], [["ClaimUnchecked"], [
    "203.0.113.2",
  ]]);
  fixture.kube.failure = undefined;
  fixture.kube.pods.set(PODS_OF_B, { items: [] });
  await clock.pass(ANSWER_MS);
  assertEquals(done.at(-1), "again");
  for (const _ of [1, 2]) {
    await pass();
    await clock.pass(0);
  }
  assertEquals(granted(fixture), ["192.0.2.53", "198.51.100.7", "203.0.113.2"]);
});
