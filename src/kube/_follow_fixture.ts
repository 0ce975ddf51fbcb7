/** A followed collection on a scripted server. */
import {
  type Answer,
  PODS,
  ScriptedApi,
  silentLogger,
  StillClock,
  type Stream,
  tokenConnection,
  until,
} from "./_api_fixture.ts";
import { createKubeClient } from "./create_kube_client.ts";
import type { KubeObject, Watched } from "./kube_client.ts";

export interface Scene {
  readonly api: ScriptedApi;
  readonly clock: StillClock;
  readonly files: { token: string };
  /** The collection, decoded to its numbers. */
  readonly watched: Watched<unknown>;
  bells: number;
}

export interface Script {
  readonly lists: Answer[];
  readonly watches: Answer[];
  /** Default 0.5. */
  readonly random?: number;
}

export function scene(subject: string, script: Script, play: (scene: Scene) => Promise<void>): void {
  Deno.test(`followCollection() ${subject}`, async () => {
    const api = new ScriptedApi();
    [api.lists, api.watches] = [script.lists, script.watches];
    const clock = new StillClock();
    const files = { token: "old" };
    const connection = tokenConnection(api.url, files);
    const client = createKubeClient({ connection, clock, logger: silentLogger, random: () => script.random ?? 0.5 });
    const decode = (object: KubeObject): unknown => object["value"];
    const watched = client.watch({ path: PODS, fieldSelector: "spec.nodeName=a", decode });
    const stage = { api, clock, files, watched, bells: 0 };
    watched.onChange(() => stage.bells++);
    try {
      await play(stage);
    } finally {
      client.stop();
      await api.close();
    }
  });
}

export const names = ({ watched }: Scene): string[] => [...watched.items.keys()].sort();
export const gone = { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "too old" } };

/** Moves the clock on, a tenth of a second a look, until it is so. */
export async function later(clock: StillClock, look: () => boolean): Promise<void> {
  await until(() => {
    clock.advance(100);
    return look();
  });
}

/** Resolves when the client has heard of the watch: an empty line is a sign of life, and no event. */
export async function greet({ clock, watched }: Scene, stream: Stream): Promise<void> {
  await until(() => stream.opened);
  clock.advance(1);
  stream.sendText("\n");
  await until(() => watched.lastContact === clock.monotonic());
}

/** Moves the clock and lets the sockets have their turn. */
export async function tick(clock: StillClock, ms: number): Promise<void> {
  clock.advance(ms);
  await new Promise((resolve) => setTimeout(resolve, 2));
}
