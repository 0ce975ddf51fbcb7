/** Changes that lose every session, with a real BIRD and FRR; the trial's clock runs fast. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { type BirdScene, BOOTSTRAP, routerView, setScene } from "../bird/_lab_fixture.ts";
import type { BirdConfig, BirdPeer } from "../bgp/bird_config.ts";
import { renderBird } from "../bgp/render_bird.ts";
import { ip, prefix } from "../bgp/testdata/cases.ts";
import { systemClock } from "../clock/clock.ts";
import { until } from "../../tests/lab/until.ts";
import { logger } from "./_agent_fixture.ts";
import { SessionTrial } from "./session_trial.ts";

const TIMES_FASTER = 10;
const CLOCK = { ...systemClock, monotonic: () => TIMES_FASTER * systemClock.monotonic() };

/** The agent's part: what is wanted goes to BIRD as the trial has it, and BIRD is asked again and again. */
class Agent {
  readonly #trial = new SessionTrial({ clock: CLOCK, logger });

  constructor(private readonly scene: BirdScene, public wanted: BirdConfig) {}

  get problem(): string | undefined {
    return this.#trial.problem;
  }

  async announce(): Promise<void> {
    const { routerId, peers } = this.#trial.choose(this.wanted);
    assertEquals(await this.scene.driver.apply(renderBird({ ...this.wanted, routerId, peers })), { applied: true });
    this.#trial.applied({ routerId, peers });
  }

  /** @returns whether a session is up */
  async ask(): Promise<boolean> {
    const askedAt = CLOCK.monotonic();
    const isUp = (await this.scene.driver.sessions()).some(({ established }) => established);
    if (this.#trial.hear(isUp, askedAt)) await this.announce();
    return isUp;
  }

  async want(change: (peer: BirdPeer) => BirdPeer): Promise<void> {
    this.wanted = { ...this.wanted, peers: this.scene.config.peers.map(change) };
    await this.announce();
  }
}

Deno.test("a change that loses every session is undone with the routes of now; one that loses a single one stays", async () => {
  await using scene = await setScene();
  await scene.startBird(BOOTSTRAP);
  const agent = new Agent(scene, scene.config);
  await agent.announce();
  await scene.established();
  await agent.ask();
  const [four, six] = [await routerView(scene, 4), await routerView(scene, 6)];
  await agent.want((peer) => peer.address.family === 4 ? { ...peer, address: ip("192.0.2.99") } : peer);
  const end = CLOCK.monotonic() + 60_000;
  while (CLOCK.monotonic() < end) assert(await agent.ask());
  assertEquals([agent.problem, (await routerView(scene, 6))?.port], [undefined, six?.port]);
  await agent.want((peer) => peer);
  await until("both sessions are up", async () => {
    await agent.ask();
    return (await scene.driver.sessions()).every(({ established }) => established);
  });
  await agent.want((peer) => ({ ...peer, asn: 64999 }));
  agent.wanted = { ...agent.wanted, hostRoutes: [prefix("198.18.0.7/32")] };
  await agent.announce();
  assertEquals(await agent.ask(), false);
  await until("the change is undone", async () => await agent.ask() || agent.problem !== undefined);
  await until("a session is up", () => agent.ask());
  assert(agent.problem !== undefined);
  await scene.lab.router.waitForRoute("198.18.0.7/32");
  assertNotEquals((await routerView(scene, 4))?.port, four?.port);
});
