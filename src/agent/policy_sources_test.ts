import { assertEquals } from "@std/assert";
import { HandClock } from "../../tests/fakes/hand_clock.ts";
import type { Watched, WatchTarget } from "../kube/kube_client.ts";
import type { NetworkPolicy } from "../policy/network_policy.ts";
import { PolicySources, type SourceChanges } from "./policy_sources.ts";

const POLICY: NetworkPolicy = { namespace: "shop", name: "deny", podSelector: [], rules: { ingress: [] } };
const LABELS = new Map([["app", "web"]]);
const POD = { namespace: "shop", labels: LABELS, addresses: ["192.0.2.7"], ports: [] };

/** What the test fills a collection by. */
interface Filling {
  readonly stopped: boolean;
  /** Lists: what is named is there, and nothing else. */
  list(keys: readonly string[]): void;
}

class Feed<T> implements Watched<T>, Filling {
  readonly items = new Map<string, T>();
  readonly lastContact = undefined;
  readonly #bells = new Set<(changed: ReadonlySet<string>) => void>();
  synced = false;
  stopped = false;

  constructor(private readonly target: WatchTarget<T>) {}

  onChange(bell: (changed: ReadonlySet<string>) => void): () => void {
    this.#bells.add(bell);
    return () => this.#bells.delete(bell);
  }

  stop(): void {
    this.stopped = true;
  }

  list(keys: readonly string[]): void {
    const changed = new Set([...this.items.keys(), ...keys]);
    this.items.clear();
    for (const key of keys) {
      const item = this.target.decode({});
      if (item !== undefined) this.items.set(key, item);
    }
    this.synced = true;
    for (const bell of this.#bells) bell(changed);
  }
}

interface Scene {
  readonly sources: PolicySources;
  readonly clock: HandClock;
  /** Resource -> its watches, in the order of their making */
  readonly feeds: Map<string, Filling[]>;
  readonly heard: string[][];
  /** The newest watch of a resource. */
  feed(resource: string): Filling;
}

function scene(subject: string, play: (scene: Scene) => void | Promise<void>): void {
  Deno.test(`PolicySources ${subject}`, async () => {
    const feeds = new Map<string, Filling[]>();
    const watch = <T>(target: WatchTarget<T>): Watched<T> => {
      const feed = new Feed(target);
      const resource = target.path.replace(/.*\//, "");
      feeds.set(resource, [...feeds.get(resource) ?? [], feed]);
      return feed;
    };
    const clock = new HandClock();
    const decode = { policy: () => POLICY, namespace: () => LABELS, pod: () => POD };
    const sources = new PolicySources({ kube: { watch }, clock, decode });
    const heard: string[][] = [];
    sources.onChange((changed) => heard.push(spell(changed)));
    const feed = (resource: string): Filling => {
      const newest = feeds.get(resource)?.at(-1);
      if (newest === undefined) throw new Error(`Cannot fill ${resource}: nobody watches it`);
      return newest;
    };
    try {
      await play({ sources, clock, feeds, heard, feed });
    } finally {
      sources.stop();
      await clock.pass(0);
    }
  });
}

function spell({ policies, namespaces, pods }: SourceChanges): string[] {
  return [...policies, ...namespaces, ...pods];
}

/** One policy, one namespace and one pod, all listed. */
function fill({ feed }: Scene): void {
  feed("networkpolicies").list(["shop/deny"]);
  feed("namespaces").list(["shop"]);
  feed("pods").list(["shop/web"]);
}

scene("follow no pod of other nodes and no namespace while there is no policy", ({ sources, feeds, feed, heard }) => {
  assertEquals([[...feeds.keys()], sources.synced], [["networkpolicies"], false]);
  feed("networkpolicies").list([]);
  assertEquals([[...feeds.keys()], sources.synced, heard], [["networkpolicies"], true, [[]]]);
});

scene("are synced when all three are, and say which keys changed", (stage) => {
  const { sources, feed, heard } = stage;
  const seen: boolean[] = [];
  sources.onChange(() => seen.push(sources.synced));
  fill(stage);
  assertEquals(seen, [false, false, true]);
  feed("pods").list(["shop/web", "shop/late"]);
  assertEquals(heard, [["shop/deny"], ["shop"], ["shop/web"], ["shop/web", "shop/late"]]);
  assertEquals([...sources.policies.keys(), ...sources.namespaces.keys(), ...sources.pods.keys()], [
    ...["shop/deny", "shop", "shop/web", "shop/late"],
  ]);
});

scene("forget pods and namespaces a minute after the last policy", async (stage) => {
  const { sources, feed, clock, heard } = stage;
  fill(stage);
  feed("networkpolicies").list([]);
  await clock.pass(59_000);
  assertEquals([sources.pods.size, feed("pods").stopped, sources.synced], [1, false, true]);
  await clock.pass(2_000);
  assertEquals([sources.pods.size, sources.namespaces.size, sources.synced], [0, 0, true]);
  assertEquals([feed("pods").stopped, feed("namespaces").stopped], [true, true]);
  assertEquals(heard.at(-1), ["shop", "shop/web"]);
});

scene("list nothing again when a policy is replaced by another", async (stage) => {
  const { sources, feed, feeds, clock } = stage;
  fill(stage);
  feed("networkpolicies").list([]);
  await clock.pass(30_000);
  feed("networkpolicies").list(["shop/allow"]);
  await clock.pass(120_000);
  assertEquals([sources.synced, sources.pods.size, feeds.get("pods")?.length], [true, 1, 1]);
  feed("networkpolicies").list([]);
  await clock.pass(59_000);
  assertEquals(feed("pods").stopped, false); // the minute is counted anew
});

scene("list anew, and are not synced until then, when a policy comes after they forgot", async (stage) => {
  const { sources, feed, feeds, clock } = stage;
  fill(stage);
  feed("networkpolicies").list([]);
  await clock.pass(61_000);
  feed("networkpolicies").list(["shop/deny"]);
  assertEquals([sources.synced, sources.pods.size, feeds.get("pods")?.length], [false, 0, 2]);
  fill(stage);
  assertEquals([sources.synced, sources.pods.size], [true, 1]);
});

scene("end every watch when stopped", async (stage) => {
  const { sources, feeds, clock } = stage;
  fill(stage);
  sources.stop();
  await clock.pass(120_000);
  assertEquals([...feeds.values()].flat().map(({ stopped }) => stopped), [true, true, true]);
});
