/**
 * How long pods take from being scheduled until Running, as a client of the API server sees it: a program of its own, beside the server, for
 * kubectl takes longer to start than what a network plugin costs. One JSON object with all samples on standard output.
 */
import { record, records } from "../lab/json.ts";
import { PAUSE_IMAGE } from "../lab/pause_image.ts";
import { shuffled } from "./statistics.ts";
import { linesOf } from "./worker.ts";

export interface PodStartsPlan {
  /** A kubeconfig with token and authority in it. */
  readonly kubeconfig: string;
  /** contender -> node */
  readonly nodes: Readonly<Record<string, string>>;
  /** One pod at a time on each node, in a new order each time; the first round only warms up. */
  readonly rounds: number;
  /** Rounds of `atOnce` pods at once, and how many these are. */
  readonly bursts: number;
  readonly atOnce: number;
}

/** contender and what -> milliseconds of each: `flock.one`, until the pod is Running; `flock.many`, until the last of them is */
export type PodStarts = Readonly<Record<string, readonly number[]>>;

/** The program. Its argument: the plan as JSON. */
export const POD_STARTS_PROGRAM: string = new URL(import.meta.url).pathname;

const COLLECTION = "/api/v1/namespaces/default/pods";
const LABEL = "bench=pod-starts";
/** Longest that a node may take for all of a round. */
const PATIENCE_MS = 180_000;
/** kubelet looks at what runs once a second: a turn that begins at any moment of this second hides nothing. */
const PHASE_MS = 1_000;

async function main([text = ""]: readonly string[]): Promise<void> {
  const plan: PodStartsPlan = JSON.parse(text);
  const api = connect(plan.kubeconfig);
  const pods = watchPods(api);
  const samples: Record<string, number[]> = {};
  const measure = async (kind: "one" | "many", { rounds, count }: { rounds: number; count: number }): Promise<void> => {
    for (let round = 0; round <= rounds; round++) {
      for (const [contender, node] of shuffled(Object.entries(plan.nodes), Math.random)) {
        await sleep(Math.random() * PHASE_MS);
        const ms = await startPods({ api, pods }, { node, count });
        if (round > 0) (samples[`${contender}.${kind}`] ??= []).push(ms);
      }
    }
  };
  await measure("one", { rounds: plan.rounds, count: 1 });
  await measure("many", { rounds: plan.bursts, count: plan.atOnce });
  pods.stop();
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(samples satisfies PodStarts)));
}

/** @returns milliseconds from the request that creates and binds them until the last is Running; they are gone when it resolves */
async function startPods(
  { api, pods }: { readonly api: Api; readonly pods: WatchedPods },
  { node, count }: { readonly node: string; readonly count: number },
): Promise<number> {
  const names = Array.from({ length: count }, () => `bench-${crypto.randomUUID().slice(0, 8)}`);
  const began = performance.now();
  await Promise.all(names.map((name) => api("POST", COLLECTION, { body: podOn(node, name) })));
  const running = Math.max(...await Promise.all(names.map((name) => pods.seen(name, "Running"))));
  await Promise.all(names.map((name) => api("DELETE", `${COLLECTION}/${name}`, { body: { gracePeriodSeconds: 1 } })));
  await Promise.all(names.map((name) => pods.seen(name, "gone")));
  return running - began;
}

/** Bound to its node as it is made, which is what being scheduled is. It ends when it is told to. */
function podOn(nodeName: string, name: string): Record<string, unknown> {
  const command = ["/bin/sh", "-c", "trap 'exit 0' TERM; /bin/busybox sleep 1000000 & wait"];
  const [key = "", value] = LABEL.split("=");
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { [key]: value } },
    spec: {
      nodeName,
      automountServiceAccountToken: false,
      tolerations: [{ operator: "Exists" }],
      containers: [{ name: "main", image: PAUSE_IMAGE, command }],
    },
  };
}

interface Request {
  readonly body?: unknown;
  /** Ends it, and what is still to come. */
  readonly signal?: AbortSignal;
}

type Api = (method: string, path: string, request?: Request) => Promise<Response>;

function connect(kubeconfig: string): Api {
  const { clusters, users } = record(JSON.parse(kubeconfig));
  const { server, "certificate-authority-data": authority } = record(records(clusters)[0]?.["cluster"]);
  const { token } = record(records(users)[0]?.["user"]);
  const client = Deno.createHttpClient({ caCerts: [atob(String(authority))] });
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return async (method, path, { body, signal = null } = {}) => {
    const text = body === undefined ? null : JSON.stringify(body);
    const answer = await fetch(`${server}${path}`, { client, method, headers, signal, body: text });
    if (!answer.ok) throw new Error(`Cannot ${method} ${path}: ${answer.status} ${await answer.text()}`);
    if (method !== "GET") await answer.body?.cancel();
    return answer;
  };
}

interface WatchedPods {
  /** @returns when it was first seen so, by `performance.now()`. @throws when it is not in time */
  seen(name: string, phase: "Running" | "gone"): Promise<number>;
  stop(): void;
}

/** What was seen, and when; each is seen once. */
class PodDiary {
  /** name and phase -> when, by `performance.now()` */
  readonly #seen = new Map<string, PromiseWithResolvers<number>>();
  readonly #names = new Set<string>();

  note(name: string, phase: string): void {
    this.#names.add(name);
    if (phase === "gone") this.#names.delete(name);
    this.at(name, phase).resolve(performance.now());
  }

  /** Of those that were seen, all but these are gone. */
  noteAll(pods: readonly Record<string, unknown>[]): void {
    for (const pod of pods) this.note(nameOf(pod), phaseOf(pod));
    const present = new Set(pods.map(nameOf));
    for (const name of this.#names) if (!present.has(name)) this.note(name, "gone");
  }

  at(name: string, phase: string): PromiseWithResolvers<number> {
    const key = `${name} ${phase}`;
    const known = this.#seen.get(key) ?? Promise.withResolvers<number>();
    this.#seen.set(key, known);
    return known;
  }
}

function nameOf({ metadata }: Record<string, unknown>): string {
  return String(record(metadata)["name"]);
}

function phaseOf({ status }: Record<string, unknown>): string {
  return String(record(status)["phase"]);
}

/** A busy server cuts watches whose client is slow: they are taken up again. */
function watchPods(api: Api): WatchedPods {
  const diary = new PodDiary();
  const stopped = new AbortController();
  const follow = async (): Promise<void> => {
    while (!stopped.signal.aborted) await watchOnce(api, { diary, signal: stopped.signal });
  };
  const ended = follow().catch((error: unknown) => {
    if (!stopped.signal.aborted) throw error;
  });
  const failed = ended.then((): never => {
    throw new Error("Cannot watch pods any longer: it was stopped");
  });
  failed.catch(() => {});
  return {
    seen: (name, phase) => Promise.race([diary.at(name, phase).promise, failed, givingUp(`${name} is not ${phase}`)]),
    stop: () => stopped.abort(),
  };
}

async function watchOnce(
  api: Api,
  { diary, signal }: { readonly diary: PodDiary; readonly signal: AbortSignal },
): Promise<void> {
  const selection = `labelSelector=${encodeURIComponent(LABEL)}`;
  const list = record(await (await api("GET", `${COLLECTION}?${selection}`, { signal })).json());
  diary.noteAll(records(list["items"]));
  const version = String(record(list["metadata"])["resourceVersion"]);
  const { body } = await api("GET", `${COLLECTION}?watch=1&resourceVersion=${version}&${selection}`, { signal });
  if (body === null) throw new Error("Cannot watch pods: the answer has no body");
  for await (const line of linesOf(body)) {
    const { type, object } = record(JSON.parse(line));
    if (type === "ERROR") return;
    diary.note(nameOf(record(object)), type === "DELETED" ? "gone" : phaseOf(record(object)));
  }
}

/** Keeps nobody from ending, but for the watch, which goes on meanwhile. */
function givingUp(what: string): Promise<never> {
  return new Promise((_, reject) =>
    Deno.unrefTimer(setTimeout(() => reject(new Error(`Cannot wait any longer: ${what}`)), PATIENCE_MS))
  );
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// A watch that was cut may hold its connection, and so the process.
if (import.meta.main) main(Deno.args).then(() => Deno.exit(0));
