/** The client against a whole API server: TLS, tokens, pages, history, outages. */
import { assert, assertEquals } from "@std/assert";
import type { Clock } from "../../src/clock/clock.ts";
import { systemClock } from "../../src/clock/clock.ts";
import { type Connection, loadConnection } from "../../src/kube/connection.ts";
import { createKubeClient } from "../../src/kube/create_kube_client.ts";
import { type KubeClient, KubeError, type KubeObject, type Watched } from "../../src/kube/kube_client.ts";
import type { LogFields, Logger } from "../../src/log/logger.ts";
import type { ApiServer } from "../lab/api/api_server.ts";
import { type EmbeddedOptions, startEmbeddedApi } from "../lab/api/embedded.ts";
import { startRealApi } from "../lab/api/real.ts";
import { until } from "../lab/until.ts";

/** How much faster the client's clock runs, so that 90 s of silence take 3. */
const HASTE = 30;

const hastyClock: Clock = {
  monotonic: () => systemClock.monotonic() * HASTE,
  wall: () => systemClock.wall(),
  sleep: (ms, signal) => systemClock.sleep(ms / HASTE, signal),
};

/** Keeps the reasons that the client gives for what it does. */
function createMemoryLogger(): Logger & { readonly reasons: string[] } {
  const reasons: string[] = [];
  const keep = (_message: string, fields?: LogFields): void => void reasons.push(String(fields?.["reason"]));
  return { reasons, debug: keep, info: keep, warn: keep, error: keep };
}

const NODES = "/api/v1/nodes";
const NODE_CONFIGS = "/apis/flock.fritzlab.net/v1alpha1/nodeconfigs";

/** `spare` is the operator, and what the client's token is changed for. */
const LISTEN = { hostname: "127.0.0.1", port: 0, users: { spare: ["system:masters"] } };

interface Scene {
  readonly api: ApiServer;
  readonly client: KubeClient;
  readonly operator: Operator;
  /** Holds a service account's files for `api`, which `client` uses. */
  readonly dir: string;
  readonly logger: ReturnType<typeof createMemoryLogger>;
}

/** Whoever changes things in the cluster, past the client under test. */
class Operator {
  readonly #http: Deno.HttpClient;

  constructor(private readonly api: ApiServer) {
    this.#http = Deno.createHttpClient({ caCerts: [Deno.readTextFileSync(api.caFile)], poolMaxIdlePerHost: 0 });
  }

  async do(method: string, path: string, body?: unknown): Promise<KubeObject> {
    const headers = { Authorization: `Bearer ${this.api.token("spare")}`, "Content-Type": "application/json" };
    const text = body === undefined ? null : JSON.stringify(body);
    const answer = await fetch(`${this.api.url}${path}`, { method, headers, body: text, client: this.#http });
    const object = await answer.json();
    if (!answer.ok) throw new Error(`Cannot ${method} ${path}: ${object.message}`);
    return object;
  }

  async addNode(name: string): Promise<void> {
    await this.do("POST", NODES, { apiVersion: "v1", kind: "Node", metadata: { name } });
  }

  async addNamespace(name: string): Promise<void> {
    await this.do("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }

  close(): void {
    this.#http.close();
  }
}

/** What a scene asks of its server, where it is the embedded one. */
type ServerOptions = Pick<EmbeddedOptions, "bookmarkSeconds" | "gone">;

type Play = (scene: Scene) => Promise<void>;

const scenes: { title: string; play: Play }[] = [];

/** An embedded server for each scene; the real one takes 10 s to start and serves them all, one after the other. */
function scene(title: string, play: Play, server: ServerOptions = {}): void {
  scenes.push({ title, play });
  Deno.test(`KubeClient ${title}, embedded server`, async () => {
    const api = await startEmbeddedApi({ ...LISTEN, bookmarkSeconds: 1, ...server });
    try {
      await stage(api, play);
    } finally {
      await api.stop();
    }
  });
}

const assets = Deno.env.get("KUBEBUILDER_ASSETS");

Deno.test({
  name: "KubeClient against the real server (needs KUBEBUILDER_ASSETS)",
  ignore: assets === undefined,
  fn: playOnRealServer,
});

async function playOnRealServer(test: Deno.TestContext): Promise<void> {
  // The lab's processes do not keep this one alive while it waits for them.
  const alive = setInterval(() => {}, 1000);
  const api = await startRealApi({ ...LISTEN, assets: assets ?? "" });
  try {
    for (const { title, play } of scenes) await test.step(title, () => stage(api, play));
  } finally {
    await api.stop();
    clearInterval(alive);
  }
}

async function stage(api: ApiServer, play: Play): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "flock-kube-" });
  const operator = new Operator(api);
  await writeServiceAccount(api, dir);
  const logger = createMemoryLogger();
  const client = createKubeClient({ connection: connect(api, dir), clock: hastyClock, logger });
  try {
    await play({ api, client, operator, dir, logger });
  } finally {
    client.stop();
    if (api.kind === "real") await operator.do("DELETE", NODES);
    operator.close();
    await Deno.remove(dir, { recursive: true });
  }
}

async function writeServiceAccount(api: ApiServer, dir: string): Promise<void> {
  await Deno.copyFile(api.caFile, `${dir}/ca.crt`);
  await Deno.writeTextFile(`${dir}/token`, api.token());
}

function connect(api: ApiServer, dir: string): Connection {
  const { hostname, port } = new URL(api.url);
  const values: Record<string, string> = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  return loadConnection({ env: (name) => values[name], serviceAccountDir: dir });
}

function watchNames(client: KubeClient): Watched<true> {
  return client.watch({ path: NODES, decode: () => true });
}

const has = (watched: Watched<unknown>, name: string): boolean => watched.items.has(name);

scene("follows a collection of more than one page", async ({ client, operator }) => {
  for (let i = 0; i < 501; i++) await operator.addNode(`node-${i}`);
  const watched = watchNames(client);
  await until("all are listed", () => watched.synced && watched.items.size >= 501);
  await operator.addNode("late");
  await until("the late one is seen", () => has(watched, "late"));
  await operator.do("DELETE", `${NODES}/node-0`);
  await until("the deleted one is gone", () => !has(watched, "node-0"));
});

scene("follows a collection whose continue token expired between two pages (T-API-04)", async (stage) => {
  const { api, client, operator, logger } = stage;
  for (let i = 0; i < 501; i++) await operator.addNode(`node-${i}`);
  let compacted: Promise<void> | undefined;
  const decode = (): true => {
    compacted ??= api.faults.compact(); // the first page is here, the second has not been asked for
    return true;
  };
  const watched = client.watch({ path: NODES, decode });
  await until("all are listed", () => watched.items.size >= 501, { timeoutMs: 60_000 });
  await compacted;
  await operator.addNode("late");
  await until("the late one is seen", () => has(watched, "late"), { timeoutMs: 60_000 });
  if (api.kind === "embedded") assertEquals(logger.reasons, []); // started over at once
});

scene("lists anew when the history after its version was compacted away", async ({ api, client, operator, logger }) => {
  const watched = watchNames(client);
  await operator.addNode("before");
  await until("the first is seen", () => has(watched, "before"));
  // Changes elsewhere, which this watch does not hear of: its version falls behind.
  for (const name of ["x", "y"]) await operator.addNamespace(name);
  await api.faults.compact();
  await until("the version is too old", () => logger.reasons.some((reason) => reason.includes("410")));
  await operator.do("DELETE", `${NODES}/before`);
  await operator.addNode("after");
  await until("the state after is seen", () => has(watched, "after") && !has(watched, "before"));
}, { bookmarkSeconds: 60, gone: "http" });

scene("outlives a frozen server and keeps what it knew (T-API-02)", async ({ api, client, operator }) => {
  const watched = watchNames(client);
  await operator.addNode("before");
  await until("the first is seen", () => has(watched, "before"));
  await api.faults.freeze();
  await systemClock.sleep(5000);
  assert(has(watched, "before"));
  await api.faults.recover();
  await operator.addNode("after");
  await until("the one made after is seen", () => has(watched, "after"));
});

scene("outlives a server that refuses connections and then fails", async ({ api, client, operator }) => {
  const watched = watchNames(client);
  await operator.addNode("before");
  await until("the first is seen", () => has(watched, "before"));
  await api.faults.refuse();
  await systemClock.sleep(500);
  await api.faults.recover();
  if (api.kind === "embedded") await api.faults.fail(503);
  await systemClock.sleep(500);
  assert(has(watched, "before"));
  await api.faults.recover();
  await operator.addNode("after");
  await until("the one made after is seen", () => has(watched, "after"));
});

scene("takes up a rotated token (T-API-03)", async ({ api, dir, operator, logger }) => {
  await operator.addNode("before");
  await Deno.writeTextFile(`${dir}/token`, "expired");
  const late = createKubeClient({ connection: connect(api, dir), clock: hastyClock, logger });
  try {
    const watched = watchNames(late);
    await until("the server has answered", () => watched.lastContact !== undefined);
    assertEquals(watched.synced, false);
    await Deno.writeTextFile(`${dir}/token`, api.token());
    await until("the list is there", () => has(watched, "before"));
  } finally {
    late.stop();
  }
});

scene(
  "goes on with the new token when the old one is let in no more (T-API-03)",
  async ({ api, client, dir, operator }) => {
    const watched = watchNames(client);
    await operator.addNode("before");
    await until("the first is seen", () => has(watched, "before"));
    if (api.kind === "embedded") await api.faults.revoke("admin");
    await systemClock.sleep(200);
    assert(has(watched, "before"));
    await Deno.writeTextFile(`${dir}/token`, api.token("spare"));
    await operator.addNode("after");
    await until("the one made after is seen", () => has(watched, "after"));
  },
);

scene("trusts no other authority than its own", async ({ api, dir, logger }) => {
  const other = await startEmbeddedApi({ hostname: "127.0.0.1", port: 0 });
  try {
    await Deno.copyFile(other.caFile, `${dir}/ca.crt`);
    const stranger = createKubeClient({ connection: connect(api, dir), clock: hastyClock, logger });
    const failed = await stranger.get("/api/v1/namespaces/default", { timeoutMs: 60_000 }).catch((error) => error);
    assert(failed instanceof KubeError && failed.status === undefined, `${failed}`);
    stranger.stop();
  } finally {
    await other.stop();
  }
});

scene("patches the status of a node and of a NodeConfig", async ({ client, operator }) => {
  await operator.addNode("node-a");
  await operator.do("POST", NODE_CONFIGS, {
    apiVersion: "flock.fritzlab.net/v1alpha1",
    kind: "NodeConfig",
    metadata: { name: "node-a" },
    spec: { cidr6: ["2001:db8:f001::/64"], bgp: { asn: 65101, peers: [] } },
  });
  const time = "2026-01-01T00:00:00Z";
  const network = { type: "NetworkUnavailable", status: "False", reason: "FlockReady", message: "m" };
  const kept = { type: "Ready", status: "True", reason: "KubeletReady", message: "m" };
  for (const condition of [kept, network]) {
    await client.patchStatus(`${NODES}/node-a`, { status: { conditions: [condition] } }, "strategic");
  }
  const ready = { type: "Ready", status: "True", reason: "InForce", message: "m", lastTransitionTime: time };
  await client.patchStatus(`${NODE_CONFIGS}/node-a`, { status: { conditions: [ready] } }, "merge");
  const node = await client.get(`${NODES}/node-a`, { timeoutMs: 60_000 });
  const config = await client.get(`${NODE_CONFIGS}/node-a`, { timeoutMs: 60_000 });
  assertEquals(conditionsOf(node).map(({ type }) => type).sort(), ["NetworkUnavailable", "Ready"]);
  assertEquals(conditionsOf(config).map(({ reason }) => reason), ["InForce"]);
});

scene("records the same event once", async ({ client, operator }) => {
  const involved = { apiVersion: "v1", kind: "Pod", namespace: "default", name: "web-0" };
  const event = { involved, type: "Warning", reason: "InvalidAnnotation", message: "x" } as const;
  const counts = async (): Promise<unknown[]> => {
    const { items } = await operator.do("GET", "/api/v1/namespaces/default/events");
    return Array.isArray(items) ? items.filter((item) => item.reason === event.reason).map((item) => item.count) : [];
  };
  client.recordEvent(event);
  await until("it is recorded", async () => (await counts()).length === 1);
  client.recordEvent(event);
  await until("it is counted up", async () => (await counts())[0] === 2);
  assertEquals((await counts()).length, 1);
});

function conditionsOf(object: KubeObject | undefined): Record<string, unknown>[] {
  const status = object?.["status"];
  const conditions = typeof status === "object" && status !== null && "conditions" in status ? status.conditions : [];
  return Array.isArray(conditions) ? conditions : [];
}
