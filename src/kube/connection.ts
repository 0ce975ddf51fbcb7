/** Where the API server is and as whom to speak to it: a kubeconfig file, or the service account of the agent's pod. */
import "./_sealed_environment.ts";
import type { RequestOptions } from "node:https";
import type { ConnectionOptions } from "node:tls";
import { KubeConfig } from "@kubernetes/client-node";
import { load } from "js-yaml";
import { quote } from "../fault/invalid_input.ts";
import { isObject, textField } from "./collection.ts";

/** Where Kubernetes mounts the pod's token and the cluster's authority. */
export const SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The TLS material of a kubeconfig. */
export type TlsOptions = Pick<ConnectionOptions, "ca" | "cert" | "key" | "rejectUnauthorized" | "servername">;

/** What one request needs. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
}

/** A way to the API server. */
export interface Connection {
  /** `https://host:port`, without a slash at its end; an IPv6 host in brackets. */
  readonly server: string;
  /**
   * Authority, client certificate and token as the files hold them now: tokens rotate hourly, authorities without a word.
   * What stands in the kubeconfig itself is as it was last read. @throws when a file cannot be read
   */
  credentials(): Promise<Credentials>;
  /** Makes the next `credentials` read the kubeconfig again too: called after a 401, a 403, and when no answer came at all. */
  forget(): void;
}

export interface ConnectionSource {
  /** Absent: the service account. */
  readonly kubeconfigFile?: string;
  /** Asked for `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`, for the service account only. */
  env(name: string): string | undefined;
  /** Default `SERVICE_ACCOUNT_DIR`. */
  readonly serviceAccountDir?: string;
}

/** What was read of a kubeconfig, or stands for one. */
interface Source {
  readonly config: KubeConfig;
  /** Read for every request. Not left to the client, which keeps a token for a minute of a wall clock that may stand still. */
  readonly tokenFile?: string;
}

/** @returns the connection, its files read once to see that they are there. @throws Error that names the file or the variable */
export function loadConnection(options: ConnectionSource): Connection {
  const read = options.kubeconfigFile === undefined
    ? (): Source => loadServiceAccount(options)
    : (): Source => loadKubeconfig(options.kubeconfigFile ?? "");
  let source = read();
  let stale = false;
  return {
    server: serverOf(source.config),
    async credentials(): Promise<Credentials> {
      if (stale) source = read();
      stale = false;
      return await readCredentials(source);
    },
    forget(): void {
      stale = true;
    },
  };
}

function loadKubeconfig(file: string): Source {
  const config = new KubeConfig();
  let tokenFile: string | undefined;
  try {
    config.loadFromFile(file);
    tokenFile = findTokenFile(Deno.readTextFileSync(file), config.getCurrentUser()?.name);
  } catch (error) {
    throw new Error(`Cannot read kubeconfig ${quote(file)}: ${textOf(error)}`, { cause: error });
  }
  const cluster = config.getCurrentCluster();
  const rule = faultIn(cluster?.server, config.getCurrentUser());
  if (rule !== undefined || cluster === null) throw new Error(`Cannot use kubeconfig ${quote(file)}: ${rule}`);
  // The client refuses http unless told to verify no certificate; plain http has none.
  if (cluster.server.startsWith("http:")) config.clusters = [{ ...cluster, skipTLSVerify: true }];
  return tokenFile === undefined ? { config } : { config, tokenFile: besides(file, tokenFile) };
}

/** The client knows no `tokenFile` of a user; where there is one it has the last word (clientcmd/api/v1, AuthInfo). */
function findTokenFile(kubeconfig: string, userName: string | undefined): string | undefined {
  const document: unknown = load(kubeconfig);
  const users = isObject(document) && Array.isArray(document["users"]) ? document["users"] : [];
  const named = users.find((user: unknown) => textField(user, "name") === userName);
  return isObject(named) ? textField(named["user"], "tokenFile") : undefined;
}

function besides(file: string, path: string): string {
  return path.startsWith("/") ? path : file.replace(/[^/]*$/, path);
}

function faultIn(server: string | undefined, user: ReturnType<KubeConfig["getCurrentUser"]>): string | undefined {
  if (server === undefined) return "its current-context names no cluster with a server";
  if (!/^https?:\/\//.test(server) || !URL.canParse(server)) {
    return `server ${quote(server)}: must be a http or https URL`;
  }
  if (user === null) return "its current-context names no user";
  if (user.exec) return `user ${quote(user.name)}: must not need an exec plugin, flock runs none`;
  return undefined;
}

// KubeConfig.loadFromCluster reads the process's environment, which is sealed, and takes no other directory: the same shape by hand.
function loadServiceAccount({ env, serviceAccountDir = SERVICE_ACCOUNT_DIR }: ConnectionSource): Source {
  const host = required(env, "KUBERNETES_SERVICE_HOST");
  const port = required(env, "KUBERNETES_SERVICE_PORT");
  const [caFile, tokenFile] = [`${serviceAccountDir}/ca.crt`, `${serviceAccountDir}/token`];
  for (const file of [caFile, tokenFile]) readFilled(file);
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      name: "cluster",
      server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
      caFile,
      skipTLSVerify: false,
    },
    { name: "serviceAccount" },
  );
  return { config, tokenFile };
}

function required(env: ConnectionSource["env"], name: string): string {
  const value = env(name);
  if (value) return value;
  throw new Error(`Cannot find the API server: ${name} is not set; outside a pod name a kubeconfig file`);
}

/** @returns the file's text, trimmed. @throws also when there is none */
function readFilled(file: string): string {
  try {
    const text = Deno.readTextFileSync(file).trim();
    if (text !== "") return text;
  } catch (error) {
    throw new Error(`Cannot read ${quote(file)}: ${textOf(error)}`, { cause: error });
  }
  throw new Error(`Cannot read ${quote(file)}: it is empty`);
}

function serverOf(config: KubeConfig): string {
  return (config.getCurrentCluster()?.server ?? "").replace(/\/+$/, "");
}

async function readCredentials({ config, tokenFile }: Source): Promise<Credentials> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, rejectUnauthorized, servername } = options;
  const tls = { ca, cert, key, rejectUnauthorized, servername };
  const token = tokenFile === undefined ? {} : { Authorization: `Bearer ${readFilled(tokenFile)}` };
  return {
    headers: { ...headersOf(options), ...token },
    tls: Object.fromEntries(Object.entries(tls).filter(([, v]) => v !== undefined)),
  };
}

function headersOf({ headers, auth }: RequestOptions): Record<string, string> {
  const named = Object.entries(headers ?? {}).map(([name, value]): [string, string] => [name, String(value).trim()]);
  return Object.fromEntries(auth ? [["Authorization", `Basic ${btoa(auth)}`], ...named] : named);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
