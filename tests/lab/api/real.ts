/**
 * The real etcd and kube-apiserver behind the same interface, from the folder that KUBEBUILDER_ASSETS names. Everything
 * that must reach the server goes by `kubectl` inside its place, because this process may not share its network.
 */
import { load } from "js-yaml";
import type { Daemon } from "../process.ts";
import { until } from "../until.ts";
import { arrange, type Arrangement } from "./_arrange.ts";
import { parseStoredObject } from "./_object.ts";
import { run, type Spawn, spawnOnMachine } from "./_process.ts";
import { apiPathOf, resourcesOf } from "./_resource.ts";
import type { ApiFaults, ApiOptions, ApiServer } from "./api_server.ts";

export interface RealOptions extends ApiOptions {
  /** With `etcd`, `kube-apiserver` and `kubectl`. */
  readonly assets: string;
  /** Where it runs: a place's `spawn`. Default: on the machine. */
  readonly spawn?: Spawn;
}

const READY_MS = 60_000;

/** Everything that the control plane's processes need to know. */
interface Plan extends Pick<RealOptions, "assets" | "hostname"> {
  readonly dir: string;
  readonly port: number;
  readonly etcdPort: number;
  readonly kubeconfigFile: string;
  readonly credentials: Arrangement["credentials"];
  readonly spawn: Spawn;
}

/**
 * Starts etcd and kube-apiserver.
 *
 * @returns once it is ready, its definitions established.
 * @throws with the end of their logs
 */
export async function startRealApi(options: RealOptions): Promise<ApiServer> {
  const { dir, crds, credentials, clear, describe } = await arrange(options);
  const port = options.port === 0 ? freePort() : options.port;
  const described = await describe(port);
  const kubeconfigFile = `${dir}/admin.kubeconfig`;
  await Deno.writeTextFile(kubeconfigFile, described.kubeconfig());
  await run("/usr/bin/openssl", ["genrsa", "-out", `${dir}/sa.key`, "2048"]);
  const { assets, hostname, spawn = spawnOnMachine(dir) } = options;
  const plan: Plan = { assets, hostname, dir, port, etcdPort: freePort(), kubeconfigFile, credentials, spawn };
  const controlPlane = new ControlPlane(plan);
  const stop = async (): Promise<void> => {
    if (await controlPlane.stop()) await clear();
  };
  try {
    await controlPlane.start();
    for (const file of crds) await controlPlane.define(file);
  } catch (error) {
    const logs = await controlPlane.readLogs();
    await stop();
    throw new Error(`Cannot start the real API server: ${logs}`, { cause: error });
  }
  return { kind: "real", ...described, faults: controlPlane, stop };
}

class ControlPlane implements ApiFaults {
  #etcd: Daemon | undefined;
  #apiServer: Daemon | undefined;
  #stopped = false;
  /** Of the custom resources. */
  readonly #served: string[] = [];

  constructor(private readonly plan: Plan) {}

  async start(): Promise<void> {
    this.#etcd = await this.plan.spawn("etcd", etcdArgv(this.plan));
    await this.#startApiServer();
  }

  /** Creates the definition and waits for it to be served. */
  async define(file: string): Promise<void> {
    await this.#kubectl(["create", "-f", file]);
    await this.#kubectl(["wait", "--for=condition=Established", "--timeout=30s", "-f", file]);
    const definition = parseStoredObject(load(await Deno.readTextFile(file)));
    this.#served.push(...resourcesOf(definition).map((resource) => `${apiPathOf(resource)}?limit=1`));
    await until("the custom resources are served", () => this.#isServing(), { timeoutMs: READY_MS, everyMs: 100 });
  }

  /** @returns whether this call ended it */
  async stop(): Promise<boolean> {
    if (this.#stopped) return false;
    this.#stopped = true;
    await this.#apiServer?.stop("SIGKILL");
    await this.#etcd?.stop();
    return true;
  }

  async readLogs(): Promise<string> {
    const logs = await Promise.all([this.#etcd, this.#apiServer].map((daemon) => daemon?.readLog() ?? ""));
    return logs.map((log) => log.slice(-1000)).join("\n");
  }

  async freeze(): Promise<void> {
    await this.#apiServer?.freeze();
  }

  async refuse(): Promise<void> {
    await this.#apiServer?.stop("SIGKILL");
  }

  readonly fail = refuseFault;
  readonly stall = refuseFault;
  readonly hurry = refuseFault;
  readonly forget = refuseFault;
  readonly revoke = refuseFault;

  async recover(): Promise<void> {
    this.#apiServer?.signal("SIGCONT");
    if (this.#apiServer?.running !== true) await this.#startApiServer();
  }

  /** etcd forgets what continue tokens read; the server's own watch cache starts anew with the server. */
  async compact(): Promise<void> {
    await this.#run("compact", ["/bin/sh", "-ec", COMPACT_SCRIPT, `http://127.0.0.1:${this.plan.etcdPort}`]);
    await this.refuse();
    await this.#startApiServer();
  }

  async #startApiServer(): Promise<void> {
    const apiServer = this.#apiServer = await this.plan.spawn("apiserver", apiServerArgv(this.plan));
    const ready = async (): Promise<boolean> => {
      if (!apiServer.running) return true;
      await this.#kubectl(["get", "--raw", "/readyz"]);
      await this.#kubectl(["get", "namespace", "default", "kube-system"]);
      return await this.#isServing();
    };
    await until("the API server is ready", ready, { timeoutMs: READY_MS, everyMs: 100 });
    if (!apiServer.running) throw new Error("Cannot start kube-apiserver: it ended");
  }

  /**
   * A custom resource is established, and the server ready, before its storage is there: until then lists are answered
   * 404 or 429.
   */
  async #isServing(): Promise<true> {
    for (const path of this.#served) await this.#kubectl(["get", "--raw", path]);
    return true;
  }

  async #kubectl(args: readonly string[]): Promise<void> {
    const { assets, dir, kubeconfigFile } = this.plan;
    const options = ["--kubeconfig", kubeconfigFile, "--cache-dir", `${dir}/kubectl`]; // else in the directory that we run in
    await this.#run("kubectl", [`${assets}/kubectl`, ...options, ...args]);
  }

  async #run(name: string, argv: readonly string[]): Promise<void> {
    const { code } = await (await this.plan.spawn(name, argv)).ended;
    if (code !== 0) throw new Error(`Cannot run ${argv.join(" ")}: exit code ${code}`);
  }
}

function refuseFault(): Promise<never> {
  return Promise.reject(new Error("Cannot make the real API server fail on purpose: it has no such switch"));
}

const COMPACT_SCRIPT = `
ask() { busybox wget -q -O - --post-data "$2" "$0/v3/$1"; }
revision=$(ask maintenance/status '{}' | sed 's/.*"revision":"\\([0-9]*\\)".*/\\1/')
ask kv/compaction "{\\"revision\\":\\"$revision\\",\\"physical\\":true}"
`;

function etcdArgv({ assets, dir, etcdPort }: Plan): string[] {
  const url = `http://127.0.0.1:${etcdPort}`;
  return [
    ...[`${assets}/etcd`, "--data-dir", `${dir}/etcd`, "--unsafe-no-fsync", "--log-level", "warn"],
    ...["--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", "http://127.0.0.1:0"],
  ];
}

/** Nothing runs beside it: no controller makes service accounts, and no endpoint of the server itself is wanted. */
function apiServerArgv({ assets, dir, hostname, port, etcdPort, credentials }: Plan): string[] {
  const { certFile, keyFile, tokenFile } = credentials;
  return [
    ...[`${assets}/kube-apiserver`, "--etcd-servers", `http://127.0.0.1:${etcdPort}`],
    ...["--bind-address", hostname, "--secure-port", `${port}`, "--advertise-address", "192.0.2.2"],
    ...["--tls-cert-file", certFile, "--tls-private-key-file", keyFile, "--token-auth-file", tokenFile],
    ...["--anonymous-auth=false", "--authorization-mode", "RBAC", "--disable-admission-plugins", "ServiceAccount"],
    ...["--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", `${dir}/sa.key`],
    ...["--service-account-signing-key-file", `${dir}/sa.key`, "--endpoint-reconciler-type", "none"],
    ...["--service-cluster-ip-range", "10.96.0.0/16,fd00:96::/112", "--allow-privileged=true"],
  ];
}

/** A port that was free a moment ago. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
