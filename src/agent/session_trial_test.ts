import { assert, assertEquals } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import { DUAL_STACK } from "../bgp/testdata/cases.ts";
import { logger } from "./_agent_fixture.ts";
import { type SessionPart, SessionTrial, TRIAL_MS } from "./session_trial.ts";

const { routerId, peers } = DUAL_STACK;
const partWith = (asn: number): SessionPart => ({ routerId, peers: peers.map((peer) => ({ ...peer, asn })) });
const [GOOD, BAD, OTHER, NONE] = [partWith(1), partWith(2), partWith(3), { routerId, peers: [] }];

/** The agent's part: gives BIRD what the trial chooses, and every 2 s asks BIRD whether a session is up. */
class Node {
  readonly clock = new HandClock();
  readonly trial = new SessionTrial({ clock: this.clock, logger });
  wanted = GOOD;
  inForce: SessionPart | undefined;
  /** The parts with which routers get a session. */
  works: readonly SessionPart[] = [GOOD];

  announce(): void {
    this.inForce = this.trial.choose(this.wanted);
    this.trial.applied(this.inForce);
  }

  want(part: SessionPart): void {
    this.wanted = part;
    this.announce();
  }

  async pass(seconds: number): Promise<void> {
    for (let passed = 0; passed < seconds; passed += 2) {
      await this.clock.pass(2000);
      const isUp = this.works.some((part) => part === this.inForce);
      if (this.trial.hear(isUp, this.clock.monotonic())) this.announce();
      else if (passed % 10 === 0) this.announce(); // pods come and go
    }
  }
}

async function serving(): Promise<Node> {
  const node = new Node();
  node.announce();
  await node.pass(4);
  return node;
}

Deno.test("SessionTrial: a change that loses every session is undone after 30 s, not before", async () => {
  const node = await serving();
  node.want(BAD);
  await node.pass(TRIAL_MS / 1000 - 2);
  assertEquals([node.inForce, node.trial.problem], [BAD, undefined]);
  await node.pass(2);
  assertEquals(node.inForce, GOOD);
  assert(node.trial.problem?.includes("as they were before"));
  await node.pass(600);
  assertEquals(node.inForce, GOOD);
});

Deno.test("SessionTrial: the next change is tried again, the same one as well once another stood between", async () => {
  const node = await serving();
  node.want(BAD);
  await node.pass(40);
  node.works = [OTHER, BAD];
  node.want(OTHER);
  assertEquals([node.inForce, node.trial.problem], [OTHER, undefined]);
  await node.pass(4);
  node.want(BAD);
  await node.pass(100);
  assertEquals([node.inForce, node.trial.problem], [BAD, undefined]);
});

Deno.test("SessionTrial: when those of before do not come up either, the change stays", async () => {
  const node = await serving();
  node.works = [];
  node.want(BAD);
  await node.pass(40);
  assertEquals(node.inForce, GOOD);
  await node.pass(30);
  assertEquals([node.inForce, node.trial.problem], [BAD, undefined]);
  await node.pass(600);
  assertEquals(node.inForce, BAD);
});

Deno.test("SessionTrial: sessions that were down before the change, or fall long after it, undo nothing", async () => {
  const node = await serving();
  node.works = [];
  await node.pass(60);
  node.want(BAD);
  await node.pass(60);
  assertEquals(node.inForce, BAD);
  node.works = [BAD];
  await node.pass(4);
  node.works = [];
  await node.pass(100);
  assertEquals([node.inForce, node.trial.problem], [BAD, undefined]);
});

Deno.test("SessionTrial: a node that is to have no peer any more, and an agent that has just started, undo nothing", async () => {
  const node = await serving();
  node.want(NONE);
  await node.pass(100);
  assertEquals(node.inForce, NONE);
  const young = new Node();
  young.want(BAD);
  await young.pass(100);
  assertEquals(young.inForce, BAD);
});

Deno.test("SessionTrial: an answer of before the change says nothing of it", async () => {
  const node = await serving();
  const before = node.clock.monotonic();
  await node.clock.pass(10);
  node.want(BAD);
  node.trial.hear(true, before);
  await node.pass(40);
  assertEquals(node.inForce, GOOD);
});
