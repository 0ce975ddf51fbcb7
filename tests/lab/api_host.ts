/**
 * The lab's API server as a process of its own, which the lab starts inside the control plane's network. Beside the
 * server's port it serves a unix socket, the lab's way in from outside that network: `/-/access`, `/-/fill` and
 * `/-/faults/NAME` are its own, everything else it passes on to the server as the administrator.
 */
import type { ApiServer } from "./api/api_server.ts";
import { type EmbeddedApi, startEmbeddedApi } from "./api/embedded.ts";
import { CONTROL_PLANE } from "./topology.ts";

/** Where nodes reach the server. */
export const API_PORT = 6443;
/** The program; importing it also has its packages in Deno's cache, for there is no registry inside the lab. */
export const API_HOST_PROGRAM: string = new URL(import.meta.url).pathname;

/** What `/-/access` answers. */
export interface ApiAccess {
  readonly kind: ApiServer["kind"];
  readonly kubeconfig: string;
  /** Of the user whom the lab's own requests come from. */
  readonly spareKubeconfig: string;
}

/** Not `admin`, whose token a test may revoke. */
const OPERATOR = "spare";

const OPTIONS = {
  users: { [OPERATOR]: ["system:masters"] },
  hostname: "::",
  port: API_PORT,
  advertise: CONTROL_PLANE[4],
  hosts: [CONTROL_PLANE[4], CONTROL_PLANE[6]],
};

async function main([kind, dir, socket]: readonly string[]): Promise<void> {
  if (dir === undefined || socket === undefined) {
    throw new Error("Cannot start the API server: no directory or socket named");
  }
  const api = await startApi(kind, dir);
  const client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(api.caFile)] });
  Deno.serve({ path: socket, onListen: () => {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/-/access") {
      const [kubeconfig, spareKubeconfig] = [api.kubeconfig(), api.kubeconfig(OPERATOR)];
      return Response.json({ kind: api.kind, kubeconfig, spareKubeconfig } satisfies ApiAccess);
    }
    if (pathname === "/-/fill") return fill(api, await request.json());
    if (pathname.startsWith("/-/faults/")) return await inflict(api, pathname.slice("/-/faults/".length));
    const headers = new Headers(request.headers);
    headers.set("authorization", `Bearer ${api.token(OPERATOR)}`);
    const { method, body, signal } = request;
    return await fetch(`${api.url}${pathname}${search}`, { method, headers, body, signal, client });
  });
}

async function startApi(kind: string | undefined, dir: string): Promise<ApiServer | EmbeddedApi> {
  if (kind === "embedded") return await startEmbeddedApi({ ...OPTIONS, dir });
  const { startRealApi } = await import("./api/real.ts");
  const assets = Deno.env.get("KUBEBUILDER_ASSETS");
  if (assets === undefined) throw new Error("Cannot start the real API server: KUBEBUILDER_ASSETS is not set");
  return await startRealApi({ ...OPTIONS, assets, dir });
}

function fill(api: ApiServer | EmbeddedApi, filling: Parameters<EmbeddedApi["fill"]>[0]): Response {
  if (!("fill" in api)) return Response.json({ message: "the real server cannot be filled" }, { status: 404 });
  api.fill(filling);
  return Response.json({});
}

const SIMPLE_FAULTS = ["freeze", "refuse", "recover", "compact", "stall", "hurry", "forget"] as const;

async function inflict({ faults }: ApiServer, fault: string): Promise<Response> {
  const [name = "", ...words] = fault.split("/");
  const plain = SIMPLE_FAULTS.find((known) => known === name);
  if (plain !== undefined) await faults[plain]();
  else if (name === "fail") {
    await faults.fail(Number(words[0]), words[1] ? { retryAfterSeconds: Number(words[1]) } : {});
  } else if (name === "revoke") await faults.revoke(words[0] ?? "");
  else return Response.json({ message: `no fault ${name}` }, { status: 404 });
  return Response.json({});
}

if (import.meta.main) main(Deno.args);
