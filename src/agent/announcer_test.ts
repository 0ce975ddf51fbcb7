import { assertEquals, assertRejects } from "@std/assert";
import type { ServiceRoute } from "../anycast/service_route.ts";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { NO_PASSWORDS } from "../../tests/fakes/no_passwords.ts";
import { CONFIG, type Fixture, know, logger, openFixture, rawPod, request } from "./_agent_fixture.ts";
import { type Announcement, Announcer } from "./announcer.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import { ip as address } from "../bgp/testdata/cases.ts";
import { RoutesIncomplete } from "../route/route_driver.ts";
import { SessionTrial } from "./session_trial.ts";
import { LINGER_MS } from "./lingering_routes.ts";

const VIP = "192.0.2.53";
const BASIS = { config: CONFIG, network: { addresses: [], defaultRoutes: [], mtus: new Map() } };

interface Opened {
  readonly fixture: Fixture;
  readonly clock: HandClock;
  /** What kernel and BIRD were told, in order: `kernel 192.0.2.53 via 203.0.113.2`, `bird 192.0.2.53`. */
  readonly told: string[];
  readonly pods: { synced: boolean };
  announce(maxAnnounced?: number): Promise<Announcement>;
  announceFor(config: NodeConfig): Promise<Announcement>;
  /** BIRD's configurations, in order. */
  readonly texts: string[];
  /** @returns what was told since the last time */
  news(): string[];
  rings: number;
  failure: Error | undefined;
  birdAway: boolean;
  /** What keeps BIRD's file from being written. */
  unwritten: Error | undefined;
}

async function open(fixture?: Fixture): Promise<Opened> {
  const of = fixture ?? await openFixture();
  const clock = new HandClock();
  const pods = { synced: true, items: of.watched };
  const opened: Opened = {
    ...{
      fixture: of,
      clock,
      told: [],
      texts: [],
      pods,
      rings: 0,
      failure: undefined,
      birdAway: false,
      unwritten: undefined,
    },
    announceFor: (config) => announcer.announce({ ...BASIS, config }),
    announce: (maxAnnounced) =>
      announcer.announce(
        maxAnnounced === undefined ? BASIS : {
          ...BASIS,
          config: { ...CONFIG, bgp: { asn: 65101, peers: [], maxAnnounced } },
        },
      ),
    news: () => opened.told.splice(0),
  };
  const announcer = new Announcer({
    passwords: NO_PASSWORDS,
    trial: new SessionTrial({ clock, logger }),
    ...{ nodeName: "node-a", ledger: of.ledger, pods, clock, logger },
    routes: {
      apply: (routes) => {
        opened.told.push(`kernel ${routes.map(textOf).join(", ")}`.trim());
        return opened.failure === undefined ? Promise.resolve([]) : Promise.reject(opened.failure);
      },
      doubt: () => {},
    },
    bird: {
      apply: (text) => {
        opened.texts.push(text);
        const routes = [...text.matchAll(/route (192\.0\.2\.\d+)\/32/g)].map(([, address]) => address);
        opened.told.push(`bird ${routes.join(", ")}`.trim());
        if (opened.unwritten !== undefined) return Promise.reject(opened.unwritten);
        if (!opened.birdAway) return Promise.resolve({ applied: true });
        return Promise.resolve({ applied: false, reason: "unreachable", message: "away" });
      },
      sessions: () => Promise.resolve([]),
    },
    addressesChanged: () => void opened.rings++,
  });
  return opened;
}

function textOf({ address, hops }: ServiceRoute): string {
  return `${address.text} via ${hops.map(({ via }) => via.text).join(" ")}`;
}

function pod(
  fixture: Fixture,
  name: string,
  state: { ready?: boolean; terminating?: boolean; anycast?: string } = {},
): void {
  const { ready = true, terminating = false, anycast = VIP } = state;
  const raw = rawPod(name, { uid: `uid-${name}`, annotations: { "flock.fritzlab.net/anycast": anycast } });
  const metadata = {
    ...Object(raw["metadata"]),
    ...(terminating ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
  };
  know(fixture, { ...raw, metadata, status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] } });
}

async function add(fixture: Fixture, name: string): Promise<void> {
  const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=${name};K8S_POD_UID=uid-${name}`;
  await fixture.service.handle(request(fixture, "ADD", { id: name, args }));
}

Deno.test("announce() tells routers of an anycast address once a Ready pod's route is in, and withdraws it first (T-BGP-08)", async () => {
  const opened = await open();
  const { fixture } = opened;
  await using _ = fixture;
  pod(fixture, "a", { ready: false });
  await add(fixture, "a");
  const { anycast } = await opened.announce();
  assertEquals(opened.news(), ["kernel", "bird"]);
  assertEquals(anycast.map((each) => each.serves ? "" : each.reason), ["notReady"]);
  pod(fixture, "a");
  await opened.announce();
  assertEquals(opened.news(), [`kernel ${VIP} via 203.0.113.2`, `bird ${VIP}`]);
  pod(fixture, "a", { ready: false });
  await opened.announce();
  assertEquals(opened.news(), [`kernel ${VIP} via 203.0.113.2`, "bird"]);
  await opened.clock.pass(LINGER_MS);
  assertEquals(opened.rings, 1);
  await opened.announce();
  assertEquals(opened.news(), ["kernel", "bird"]);
});

Deno.test("announce() withdraws at deletionTimestamp, Ready or not, and routes what is under way until the DEL (T-BGP-05)", async () => {
  const opened = await open();
  const { fixture } = opened;
  await using _ = fixture;
  pod(fixture, "a");
  await add(fixture, "a");
  await opened.announce();
  pod(fixture, "a", { terminating: true });
  opened.news();
  await opened.announce();
  assertEquals(opened.news(), [`kernel ${VIP} via 203.0.113.2`, "bird"]);
  await fixture.service.handle(request(fixture, "DEL", { id: "a" }));
  await opened.announce();
  assertEquals(opened.news(), ["kernel", "bird"]);
});

Deno.test("announce(): of two pods one leaves, and routers hear nothing; it leaves the group at once (T-BGP-06)", async () => {
  const opened = await open();
  const { fixture } = opened;
  await using _ = fixture;
  for (const name of ["a", "b"]) {
    pod(fixture, name);
    await add(fixture, name);
  }
  await opened.announce();
  assertEquals(opened.news(), [`kernel ${VIP} via 203.0.113.2 203.0.113.3`, `bird ${VIP}`]);
  pod(fixture, "a", { ready: false });
  await opened.announce();
  assertEquals(opened.news(), [`kernel ${VIP} via 203.0.113.3`, `bird ${VIP}`]);
  pod(fixture, "b", { terminating: true });
  await opened.announce();
  assertEquals(opened.news(), [`kernel ${VIP} via 203.0.113.3`, "bird"]);
});

Deno.test("announce() tells of nothing new, and keeps what was told, while the kernel refuses", async () => {
  const opened = await open();
  const { fixture } = opened;
  await using _ = fixture;
  pod(fixture, "a");
  await add(fixture, "a");
  opened.failure = new Error("Cannot route");
  await assertRejects(() => opened.announce(), Error, "Cannot route");
  assertEquals(opened.news(), [`kernel ${VIP} via 203.0.113.2`]); // what an earlier agent told stays
  opened.failure = undefined;
  await opened.announce();
  opened.failure = new Error("Cannot route");
  opened.news();
  await assertRejects(() => opened.announce(), Error, "Cannot route");
  assertEquals(opened.news(), [`kernel ${VIP} via 203.0.113.2`, `bird ${VIP}`]);
  pod(fixture, "a", { ready: false });
  await assertRejects(() => opened.announce(), Error, "Cannot route");
  assertEquals(opened.news()[1], "bird");
});

Deno.test("a pod whose link is down keeps no other's address from coming or going, at the agent's start neither, and is told why", async () => {
  const opened = await open();
  const { fixture } = opened;
  await using _ = fixture;
  pod(fixture, "down", { ready: true });
  pod(fixture, "a", { anycast: "192.0.2.54" });
  for (const name of ["down", "a"]) await add(fixture, name);
  opened.failure = new RoutesIncomplete("Cannot set routes: next hop", new Set([VIP]));
  const { anycast, failure, advertised } = await opened.announce();
  assertEquals(opened.news()[1], "bird 192.0.2.54");
  assertEquals(failure, opened.failure);
  assertEquals(anycast.map((each) => each.serves ? "serves" : each.reason), ["noRoute", "serves"]);
  assertEquals(advertised.includes(`${VIP}/32`), false);
  pod(fixture, "a", { anycast: "192.0.2.54", ready: false });
  await opened.announce();
  assertEquals(opened.news()[1], "bird");
});

Deno.test("a pod that ceased to be Ready while no agent ran is withdrawn before its route goes", async () => {
  const first = await open();
  const { fixture } = first;
  await using _ = fixture;
  pod(fixture, "a");
  await add(fixture, "a");
  await first.announce();
  await fixture.ledger.flush();
  pod(fixture, "a", { ready: false });
  const second = await open(fixture);
  await second.announce();
  assertEquals(second.news(), [`kernel ${VIP} via 203.0.113.2`, "bird"]);
});

Deno.test("a route lingers until BIRD has heard of its end: routers keep what a BIRD that restarts has told them", async () => {
  const opened = await open();
  const { fixture } = opened;
  await using _ = fixture;
  pod(fixture, "a");
  await add(fixture, "a");
  await opened.announce();
  opened.birdAway = true;
  pod(fixture, "a", { ready: false });
  for (let second = 0; second < 3; second++) {
    opened.news();
    await opened.announce();
    assertEquals(opened.news()[0], `kernel ${VIP} via 203.0.113.2`);
    await opened.clock.pass(LINGER_MS);
    assertEquals(opened.rings, second + 1);
  }
  await opened.clock.pass(120_000);
  await opened.announce();
  await opened.clock.pass(LINGER_MS);
  opened.news();
  await opened.announce();
  assertEquals(opened.news()[0], "kernel", "routers wait no longer");
  pod(fixture, "a");
  await opened.announce();
  pod(fixture, "a", { ready: false });
  await opened.announce();
  opened.birdAway = false;
  opened.news();
  await opened.announce();
  assertEquals(opened.news()[0], `kernel ${VIP} via 203.0.113.2`);
  await opened.clock.pass(LINGER_MS);
  await opened.announce();
  assertEquals(opened.news()[0], "kernel");
});

Deno.test("a route lingers while BIRD's file cannot be written: routers go on sending to it", async () => {
  const opened = await open();
  const { fixture } = opened;
  await using _ = fixture;
  pod(fixture, "a");
  await add(fixture, "a");
  await opened.announce();
  pod(fixture, "a", { ready: false });
  opened.unwritten = new Error("No space left on device");
  for (let second = 0; second < 5; second++) {
    opened.news();
    await assertRejects(() => opened.announce(), Error, "No space left");
    assertEquals(opened.news()[0], `kernel ${VIP} via 203.0.113.2`, `after ${second} s`);
    await opened.clock.pass(LINGER_MS);
  }
  opened.unwritten = undefined;
  await opened.announce();
  assertEquals(opened.news(), [`kernel ${VIP} via 203.0.113.2`, "bird"]);
  await opened.clock.pass(LINGER_MS);
  await opened.announce();
  assertEquals(opened.news(), ["kernel", "bird"]);
});

Deno.test("an agent that starts while the API server is away tells what the last one did (T-BGP-10)", async () => {
  const first = await open();
  const { fixture } = first;
  await using _ = fixture;
  for (const name of ["a", "b"]) {
    pod(fixture, name);
    await add(fixture, name);
  }
  pod(fixture, "b", { ready: false });
  await first.announce();
  await fixture.ledger.flush();
  fixture.watched.clear();
  const second = await open(fixture);
  second.pods.synced = false;
  await second.announce();
  assertEquals(second.news(), [`kernel ${VIP} via 203.0.113.2`, `bird ${VIP}`]);
  second.pods.synced = true; // it answers, and knows none of them
  const { anycast } = await second.announce();
  assertEquals(second.news()[1], "bird");
  assertEquals(anycast.map((each) => each.serves ? "" : each.reason), ["unknown", "unknown"]);
});

Deno.test("announce() lets no more addresses out than maxAnnounced, keeps those that routers know, and warns", async () => {
  const opened = await open();
  const { fixture } = opened;
  await using _ = fixture;
  pod(fixture, "a", { anycast: "192.0.2.60" });
  await add(fixture, "a");
  assertEquals((await opened.announce(1)).warnings, undefined);
  pod(fixture, "b", { anycast: "192.0.2.53" });
  await add(fixture, "b");
  opened.news();
  const { warnings, advertised, anycast } = await opened.announce(1);
  assertEquals(opened.news().at(-1), "bird 192.0.2.60");
  assertEquals(warnings, ["more than 1 addresses to announce: the others are left out"]);
  assertEquals(advertised.includes("192.0.2.53/32"), false);
  assertEquals(anycast.map(({ serves }) => serves), [true, true]);
  await opened.announce(2);
  assertEquals(opened.news().at(-1), "bird 192.0.2.53, 192.0.2.60");
});

Deno.test("announce() leaves out a peer whose password cannot be read, and says so", async () => {
  const opened = await open();
  await using _ = opened.fixture;
  const peers = [{ address: address("192.0.2.1"), asn: 65000, password: { file: "router-a" } }];
  const config = { ...CONFIG, bgp: { asn: 65101, peers } };
  const { bgpProblems } = await opened.announceFor(config);
  assertEquals(bgpProblems, ["no session with 192.0.2.1: there is no such file"]);
  assertEquals(opened.texts.at(-1)?.includes("protocol bgp"), false);
});
