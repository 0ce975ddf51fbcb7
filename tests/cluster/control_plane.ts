/** A whole control plane in a place of the lab: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, as on a real cluster. */
import { describeAccess, type Described } from "../lab/api/api_server.ts";
import { makeClientCertificate, makeCredentials } from "../lab/api/pki.ts";
import { record } from "../lab/json.ts";
import type { Place } from "../lab/place.ts";
import type { Daemon } from "../lab/process.ts";
import { CONTROL_PLANE } from "../lab/topology.ts";
import { GaveUp, until } from "../lab/until.ts";
import { createKubectl, type Kubectl } from "./kubectl.ts";

export interface ControlPlaneOptions {
  /** The folder that KUBEBUILDER_ASSETS names. */
  readonly assets: string;
  /** For certificates, tokens and data: an existing directory, below the lab's. */
  readonly dir: string;
  /** Names of the nodes that may join. */
  readonly nodes: readonly string[];
}

export interface ControlPlane {
  readonly kubectl: Kubectl;
  /** Where everybody in the lab's network reaches the API server. */
  readonly url: string;
  /** Who signed everybody's certificates. */
  readonly caFile: string;
  /** @returns the text of a kubeconfig for `admin`, `system:kube-proxy` or `system:node:NAME` */
  kubeconfig(user: string): string;
  /** @returns what the API server was asked by this user so far, and what it answered */
  requestsOf(user: string): Promise<readonly AuditedRequest[]>;
  /** Ends the API server at once, and starts it anew; resolves when it is ready. */
  restartApiServer(): Promise<void>;
  /** etcd forgets all but the present, so that watches of an older revision end with 410; then the API server starts anew. */
  compact(): Promise<void>;
}

/** A request as the API server's audit log has it. */
export interface AuditedRequest {
  readonly verb: string;
  /** `pods`, `nodes/status`, `flock.fritzlab.net/nodeconfigs` */
  readonly resource: string;
  /** The HTTP status of the answer. */
  readonly code: number;
}

/** What Services get; the first address is the API server's own Service. */
const SERVICE_RANGES = "10.96.0.0/16,fd00:96::/112";
const API_SERVICE = "10.96.0.1";
const PORT = 6443;
const ETCD_URL = "http://127.0.0.1:2379";
const READY_MS = 90_000;

/** Starts everything. Resolves when the API server is ready; controllers and scheduler follow. @throws with the end of its log when it ends */
export async function startControlPlane(place: Place, options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dir, assets, nodes } = options;
  const users = {
    "system:kube-controller-manager": [],
    "system:kube-scheduler": [],
    "system:kube-proxy": [],
    ...Object.fromEntries(nodes.map((name) => [`system:node:${name}`, ["system:nodes"]])),
  };
  const hosts = ["127.0.0.1", CONTROL_PLANE[4], CONTROL_PLANE[6], API_SERVICE, "kubernetes.default.svc"];
  const credentials = await makeCredentials(dir, { hosts, users });
  const { caFile, tokens } = credentials;
  await makeClientCertificate(dir, { name: "kubelet-client", subject: "/O=system:masters/CN=kube-apiserver" });
  const url = `https://${CONTROL_PLANE[4]}:${PORT}`;
  const access = describeAccess({ url, caFile, tokens }, await Deno.readTextFile(caFile));
  await Deno.writeTextFile(auditPolicyFile(dir), JSON.stringify(AUDIT_POLICY));
  await place.output(["openssl", "genrsa", "-out", `${dir}/sa.key`, "2048"]);
  for (const user of ["admin", ...Object.keys(users)]) {
    await Deno.writeTextFile(kubeconfigFile(dir, user), access.kubeconfig(user), { mode: 0o600 });
  }
  const kubectl = createKubectl(place, {
    path: `${assets}/kubectl`,
    kubeconfig: kubeconfigFile(dir, "admin"),
    cacheDir: `${dir}/kubectl`,
  });
  const processes = new Processes(place, { ...options, kubectl });
  await processes.start();
  return controlPlaneOf(processes, { access, kubectl, caFile, dir });
}

function controlPlaneOf(
  processes: Processes,
  { access, kubectl, caFile, dir }: { access: Described; kubectl: Kubectl; caFile: string; dir: string },
): ControlPlane {
  return {
    kubectl,
    url: access.url,
    caFile,
    requestsOf: async (user) => parseAuditLog(await Deno.readTextFile(auditLogFile(dir)), user),
    kubeconfig: (user) => access.kubeconfig(user),
    restartApiServer: () => processes.restartApiServer(),
    compact: async () => {
      await processes.compact();
      await processes.restartApiServer();
    },
  };
}

function kubeconfigFile(dir: string, user: string): string {
  return `${dir}/${user.replaceAll(":", "-")}.kubeconfig`;
}

/** Who asked for what; at the end of each request, and of a watch at its start. */
const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "Metadata", userGroups: ["system:serviceaccounts"] }, { level: "None" }],
};

function auditPolicyFile(dir: string): string {
  return `${dir}/audit-policy.json`;
}

function auditLogFile(dir: string): string {
  return `${dir}/audit.log`;
}

function parseAuditLog(log: string, user: string): AuditedRequest[] {
  const events = log.trimEnd().split("\n").map((line) => record(JSON.parse(line)));
  return events.filter((event) => record(event["user"])["username"] === user).map((event) => {
    const { apiGroup, resource, subresource } = record(event["objectRef"]);
    const parts = [apiGroup, resource, subresource].filter((part) => part !== undefined);
    return {
      verb: String(event["verb"]),
      resource: parts.join("/"),
      code: Number(record(event["responseStatus"])["code"]),
    };
  });
}

/** The control plane's programs. */
class Processes {
  #apiServer: Daemon | undefined;

  constructor(readonly place: Place, readonly options: ControlPlaneOptions & { readonly kubectl: Kubectl }) {}

  async start(): Promise<void> {
    await this.place.spawn("etcd", etcdArgv(this.options));
    await this.#startApiServer();
    await this.place.spawn("controllers", controllersArgv(this.options));
    await this.place.spawn("scheduler", schedulerArgv(this.options));
  }

  async restartApiServer(): Promise<void> {
    await this.#apiServer?.stop("SIGKILL");
    await this.#startApiServer();
  }

  async compact(): Promise<void> {
    await this.place.output(["/bin/sh", "-ec", COMPACT_SCRIPT, ETCD_URL]);
  }

  async #startApiServer(): Promise<void> {
    const apiServer = this.#apiServer = await this.place.spawn("apiserver", apiServerArgv(this.options));
    await until("the API server is ready", async () => {
      if (!apiServer.running) {
        throw new GaveUp(`Cannot start kube-apiserver: ${(await apiServer.readLog()).slice(-2000)}`);
      }
      return await this.options.kubectl.run("get", "--raw", "/readyz");
    }, { timeoutMs: READY_MS, everyMs: 100 });
  }
}

const COMPACT_SCRIPT = `
ask() { busybox wget -q -O - --post-data "$2" "$0/v3/$1"; }
revision=$(ask maintenance/status '{}' | sed 's/.*"revision":"\\([0-9]*\\)".*/\\1/')
ask kv/compaction "{\\"revision\\":\\"$revision\\",\\"physical\\":true}"
`;

function etcdArgv({ assets, dir }: ControlPlaneOptions): string[] {
  return [
    ...[`${assets}/etcd`, "--data-dir", `${dir}/etcd`, "--unsafe-no-fsync", "--log-level", "warn"],
    ...[
      "--listen-client-urls",
      ETCD_URL,
      "--advertise-client-urls",
      ETCD_URL,
      "--listen-peer-urls",
      "http://127.0.0.1:0",
    ],
  ];
}

/** An address that is not loopback is advertised, else the Service `kubernetes` has no endpoint and pods no way in. */
function apiServerArgv({ assets, dir }: ControlPlaneOptions): string[] {
  return [
    ...[`${assets}/kube-apiserver`, "--etcd-servers", ETCD_URL],
    ...["--bind-address", "::", "--secure-port", `${PORT}`, "--advertise-address", CONTROL_PLANE[4]],
    ...["--client-ca-file", `${dir}/ca.crt`, "--token-auth-file", `${dir}/tokens.csv`],
    ...["--tls-cert-file", `${dir}/apiserver.crt`, "--tls-private-key-file", `${dir}/apiserver.key`],
    ...[
      "--kubelet-client-certificate",
      `${dir}/kubelet-client.crt`,
      "--kubelet-client-key",
      `${dir}/kubelet-client.key`,
    ],
    ...["--kubelet-preferred-address-types", "InternalIP"],
    ...["--service-account-issuer", "https://kubernetes.default.svc"],
    ...["--service-account-key-file", `${dir}/sa.key`, "--service-account-signing-key-file", `${dir}/sa.key`],
    ...["--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction"],
    ...["--service-cluster-ip-range", SERVICE_RANGES, "--allow-privileged=true"],
    ...["--audit-policy-file", auditPolicyFile(dir), "--audit-log-path", auditLogFile(dir)],
  ];
}

function controllersArgv({ assets, dir }: ControlPlaneOptions): string[] {
  return [
    ...[`${assets}/kube-controller-manager`, "--kubeconfig", kubeconfigFile(dir, "system:kube-controller-manager")],
    ...["--service-account-private-key-file", `${dir}/sa.key`, "--root-ca-file", `${dir}/ca.crt`],
    ...["--use-service-account-credentials=true", "--leader-elect=false", "--bind-address", "127.0.0.1"],
  ];
}

function schedulerArgv({ assets, dir }: ControlPlaneOptions): string[] {
  const kubeconfig = kubeconfigFile(dir, "system:kube-scheduler");
  return [
    ...[`${assets}/kube-scheduler`, "--kubeconfig", kubeconfig, "--leader-elect=false", "--bind-address", "127.0.0.1"],
  ];
}
