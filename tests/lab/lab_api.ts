/** The lab's Kubernetes API server, as tests use it from outside the lab's network. */
import type { Family } from "../../src/ip/address.ts";
import type { ApiFaults, Filling } from "./api/api_server.ts";
import { API_HOST_PROGRAM, type ApiAccess } from "./api_host.ts";
import { record, records } from "./json.ts";
import type { Place } from "./place.ts";
import { CONTROL_PLANE } from "./topology.ts";
import { exists, GaveUp, until } from "./until.ts";

export type KubeObject = Readonly<Record<string, unknown>>;

export interface LabApi {
  readonly kind: "embedded" | "real";
  /**
   * The unix socket through which everybody outside the lab's network reaches the server over plain HTTP, as
   * administrator.
   */
  readonly socket: string;
  readonly faults: ApiFaults;
  /**
   * @returns the text of a kubeconfig for clients inside the lab's network.
   * @param family by which to reach the server, default 4
   */
  kubeconfig(family?: Family): string;
  /** @returns the same with the token of another user who may do everything, `spare` */
  spareKubeconfig(): string;
  /** Creates the object, or replaces it (the main resource, not its status). @returns it as the server keeps it */
  apply(object: KubeObject): Promise<KubeObject>;
  /**
   * Creates or replaces tens of thousands at once, status and all: each is `base` with a merge patch (RFC 7396).
   *
   * @throws on the real server
   */
  fill(filling: Filling): Promise<void>;
  /** @param path `/api/v1/nodes/node-a`. @returns undefined when it is not there */
  get(path: string): Promise<KubeObject | undefined>;
  /** Merge patch (RFC 7386), of the object or of `PATH/status`. */
  patch(path: string, patch: KubeObject): Promise<KubeObject>;
  /** Deletes at once, without a grace period; what is not there is fine. */
  delete(path: string): Promise<void>;
  /** Marks a Pod for deletion, as users do: it has so many seconds, and goes with `delete`. */
  terminate(path: string, graceSeconds: number): Promise<void>;
  /** @returns a token of a ServiceAccount of `default` that is good as long as the Secret of that name is there. Of the real server only */
  requestToken(account: string, options: { readonly secret: string }): Promise<string>;
  /** @returns all Events about the object of that name, oldest first */
  events(name: string): Promise<readonly KubeObject[]>;
}

/** Between two requests the server serves others. */
const FILL_AT_ONCE = 1_000;

const APPLY_TRIES = 20;

/** The server's answer when it refuses a request. */
export class ApiRefused extends Error {
  override readonly name = "ApiRefused";

  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/**
 * Starts the server inside the place.
 *
 * @param options.dir of the lab; the socket lies there.
 * @returns once it answers
 */
export async function startLabApi(
  place: Place,
  options: { readonly kind: LabApi["kind"]; readonly dir: string },
): Promise<LabApi & Disposable> {
  const socket = `${options.dir}/api.sock`;
  const program = ["run", "--quiet", "--allow-all", "--cached-only", API_HOST_PROGRAM];
  const argv = [Deno.execPath(), ...program, options.kind, `${options.dir}/api`, socket];
  const daemon = await place.spawn("api", argv);
  await until("the API server answers", async () => {
    if (!daemon.running) throw new GaveUp(`Cannot start the API server: ${await daemon.readLog()}`);
    return await exists(socket);
  }, { timeoutMs: 60_000 });
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  let open = true;
  const send = (method: string, path: string, body?: unknown): Promise<KubeObject> =>
    request(client, { method, path, ...(body === undefined ? {} : { body }) });
  const { kubeconfig, spareKubeconfig } = await send("GET", "/-/access");
  return {
    ...labApiOf(send, {
      kind: options.kind,
      kubeconfig: String(kubeconfig),
      spareKubeconfig: String(spareKubeconfig),
      socket,
    }),
    [Symbol.dispose]: () => {
      if (open) client.close();
      open = false;
    },
  };
}

type Send = (method: string, path: string, body?: unknown) => Promise<KubeObject>;

function labApiOf(send: Send, { kind, kubeconfig, spareKubeconfig, socket }: ApiAccess & { socket: string }): LabApi {
  const get = async (path: string): Promise<KubeObject | undefined> => await send("GET", path).catch(ifMissing);
  const inflict = async (fault: string): Promise<void> => void await send("POST", `/-/faults/${fault}`);
  return {
    kind,
    socket,
    get,
    fill: async ({ collection, base, variants }) => {
      for (let at = 0; at < variants.length; at += FILL_AT_ONCE) {
        await send("POST", "/-/fill", { collection, base, variants: variants.slice(at, at + FILL_AT_ONCE) });
      }
    },
    faults: {
      freeze: () => inflict("freeze"),
      refuse: () => inflict("refuse"),
      recover: () => inflict("recover"),
      compact: () => inflict("compact"),
      fail: (status, { retryAfterSeconds } = {}) => inflict(["fail", status, retryAfterSeconds].join("/")),
      stall: () => inflict("stall"),
      hurry: () => inflict("hurry"),
      forget: () => inflict("forget"),
      revoke: (user) => inflict(`revoke/${user}`),
    },
    kubeconfig: (family = 4) =>
      kubeconfig.replace(CONTROL_PLANE[4], family === 4 ? CONTROL_PLANE[4] : `[${CONTROL_PLANE[6]}]`),
    spareKubeconfig: () => spareKubeconfig,
    apply: (object) => applyTo({ get, send }, object),
    patch: (path, patch) => send("PATCH", path, patch),
    delete: async (path) => void await send("DELETE", path, { gracePeriodSeconds: 0 }).catch(ifMissing),
    requestToken: async (account, { secret }) => {
      const boundObjectRef = { apiVersion: "v1", kind: "Secret", name: secret };
      const request = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { boundObjectRef } };
      const answer = await send("POST", `/api/v1/namespaces/default/serviceaccounts/${account}/token`, request);
      return String(record(answer["status"])["token"]);
    },
    terminate: async (path, gracePeriodSeconds) => void await send("DELETE", path, { gracePeriodSeconds }),
    events: async (name) => {
      const { items } = await send("GET", `/api/v1/events`);
      return records(items).filter((event) => record(event["involvedObject"])["name"] === name);
    },
  };
}

async function request(
  client: Deno.HttpClient,
  { method, path, body }: { method: string; path: string; body?: unknown },
): Promise<KubeObject> {
  const contentType = method === "PATCH" ? "application/merge-patch+json" : "application/json";
  const response = await fetch(`http://lab${path}`, {
    client,
    method,
    headers: { "content-type": contentType },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = record(await response.json());
  if (!response.ok) throw new ApiRefused(response.status, `Cannot ${method} ${path}: ${answer["message"]}`);
  return answer;
}

/** Again while others write in between: an agent its status. */
async function applyTo({ get, send }: Pick<LabApi, "get"> & { send: Send }, object: KubeObject): Promise<KubeObject> {
  const { collection, path } = locate(object);
  for (let tries = 1;; tries++) {
    const present = await get(path);
    if (present === undefined) return await send("POST", collection, object);
    const resourceVersion = record(present["metadata"])["resourceVersion"];
    try {
      return await send("PUT", path, { ...object, metadata: { ...record(object["metadata"]), resourceVersion } });
    } catch (error) {
      if (!(error instanceof ApiRefused && error.status === 409) || tries === APPLY_TRIES) throw error;
    }
  }
}

function ifMissing(error: unknown): undefined {
  if (!(error instanceof ApiRefused && error.status === 404)) throw error;
}

// kind -> its resource and whether it lives in a namespace
const RESOURCES: ReadonlyMap<string, { readonly resource: string; readonly namespaced: boolean }> = new Map([
  ["Node", { resource: "nodes", namespaced: false }],
  ["Namespace", { resource: "namespaces", namespaced: false }],
  ["NodeConfig", { resource: "nodeconfigs", namespaced: false }],
  ["CustomResourceDefinition", { resource: "customresourcedefinitions", namespaced: false }],
  ["ClusterRole", { resource: "clusterroles", namespaced: false }],
  ["ClusterRoleBinding", { resource: "clusterrolebindings", namespaced: false }],
  ["Pod", { resource: "pods", namespaced: true }],
  ["Secret", { resource: "secrets", namespaced: true }],
  ["ServiceAccount", { resource: "serviceaccounts", namespaced: true }],
  ["Service", { resource: "services", namespaced: true }],
  ["EndpointSlice", { resource: "endpointslices", namespaced: true }],
  ["NetworkPolicy", { resource: "networkpolicies", namespaced: true }],
]);

/** @returns the REST paths of an object and of the collection that it belongs to */
export function locate(object: KubeObject): { collection: string; path: string } {
  const apiVersion = String(object["apiVersion"]);
  const { name, namespace = "default" } = record(object["metadata"]);
  const entry = RESOURCES.get(String(object["kind"]));
  if (entry === undefined) throw new Error(`Cannot locate a ${object["kind"]}: the lab does not know the kind`);
  const group = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
  const collection = `${group}${entry.namespaced ? `/namespaces/${namespace}` : ""}/${entry.resource}`;
  return { collection, path: `${collection}/${name}` };
}
