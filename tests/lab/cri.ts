/** The Container Runtime Interface, as far as the lab needs it: what kubelet would say to containerd. */
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition, type ServiceDefinition } from "@grpc/proto-loader";
import { record, records } from "./json.ts";

/** What kubelet knows of a pod when it asks for its sandbox. */
export interface SandboxConfig {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  /** The Pod's, and kubelet's own. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Counts the sandboxes of one pod. */
  readonly attempt?: number;
  /** Below which the sandbox's cgroup is made, from the root of each hierarchy. */
  readonly cgroupParent: string;
}

export interface SandboxStatus extends ListedSandbox {
  /** What the CNI result said, the primary one first. */
  readonly addresses: readonly string[];
  /** Its network namespace, a path on the node; empty once it was stopped. */
  readonly netns: string;
  /** Of the process that holds it, as the node counts; 0 once it was stopped. */
  readonly pid: number;
}

/** A sandbox as a list of all has it. */
export interface ListedSandbox {
  readonly id: string;
  readonly name: string;
  /** Of the pod. */
  readonly uid: string;
  readonly ready: boolean;
}

/** One runtime. Every call rejects with what the runtime said, and after `timeoutMs`. */
export interface CriClient extends Disposable {
  /** @returns the conditions that are not met, as `type: message`; empty: ready for pods */
  complaints(): Promise<readonly string[]>;
  /** @returns the sandbox's id */
  runSandbox(config: SandboxConfig): Promise<string>;
  stopSandbox(id: string): Promise<void>;
  removeSandbox(id: string): Promise<void>;
  sandboxStatus(id: string): Promise<SandboxStatus>;
  listSandboxes(): Promise<readonly ListedSandbox[]>;
}

/** Kubelet looks at these two; a runtime may add others, e.g. on deprecated settings. */
const REQUIRED = ["RuntimeReady", "NetworkReady"];
const PROTO = new URL("cri.proto", import.meta.url).pathname;

/** @param socket the path of the runtime's unix socket, for this process */
export function connectCri(socket: string, { timeoutMs = 30_000 }: { timeoutMs?: number } = {}): CriClient {
  const { call, close } = openChannel(socket, timeoutMs);
  return {
    complaints: async () => {
      const { status } = await call("Status", {});
      return records(record(status)["conditions"]).filter((c) =>
        c["status"] !== true && REQUIRED.includes(String(c["type"]))
      )
        .map((c) => `${c["type"]}: ${c["message"]}`);
    },
    runSandbox: async (config) =>
      String((await call("RunPodSandbox", { config: sandboxMessage(config) }))["podSandboxId"]),
    stopSandbox: async (podSandboxId) => void await call("StopPodSandbox", { podSandboxId }),
    removeSandbox: async (podSandboxId) => void await call("RemovePodSandbox", { podSandboxId }),
    sandboxStatus: async (podSandboxId) => parseStatus(await call("PodSandboxStatus", { podSandboxId, verbose: true })),
    listSandboxes: async () => records((await call("ListPodSandbox", {}))["items"]).map(parseSandbox),
    [Symbol.dispose]: close,
  };
}

type Message = Record<string, unknown>;

interface Channel {
  call(method: string, request: Message): Promise<Message>;
  close(): void;
}

function openChannel(socket: string, timeoutMs: number): Channel {
  const methods = loadSync(PROTO, { longs: Number, enums: String, defaults: true })["runtime.v1.RuntimeService"];
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  return {
    call: (name, request) => {
      const method = isService(methods) ? methods[name] : undefined;
      if (method === undefined) throw new Error(`Cannot call ${name}: cri.proto has no such method`);
      const { path, requestSerialize, responseDeserialize } = method;
      const options = { deadline: Date.now() + timeoutMs };
      return new Promise((resolve, reject) =>
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          new Metadata(),
          options,
          (error, answer) =>
            error === null
              ? resolve(record(answer))
              : reject(new Error(`Cannot ${name}: ${error.details}`, { cause: error })),
        )
      );
    },
    close: () => client.close(),
  };
}

/** A definition file's entries are services and message types. */
function isService(entry: PackageDefinition[string] | undefined): entry is ServiceDefinition {
  return entry !== undefined && !("format" in entry);
}

function sandboxMessage(config: SandboxConfig): Message {
  const { name, namespace, uid, annotations = {}, attempt = 0, cgroupParent } = config;
  return {
    metadata: { name, namespace, uid, attempt },
    annotations,
    hostname: name,
    logDirectory: `/var/log/pods/${namespace}_${name}_${uid}`,
    linux: { cgroupParent },
  };
}

/** The network namespace stands in the runtime's own verbose report, as part of the OCI spec. */
function parseStatus({ status, info }: Message): SandboxStatus {
  const network = record(record(status)["network"]);
  const report = record(JSON.parse(String(record(info)["info"] ?? "{}")));
  const namespaces = records(record(record(report["runtimeSpec"])["linux"])["namespaces"]);
  const addresses = [network["ip"], ...records(network["additionalIps"]).map(({ ip }) => ip)];
  return {
    ...parseSandbox(record(status)),
    addresses: addresses.map(String).filter((address) => address !== ""),
    netns: String(namespaces.find(({ type }) => type === "network")?.["path"] ?? ""),
    pid: Number(report["pid"] ?? 0),
  };
}

function parseSandbox(sandbox: Message): ListedSandbox {
  const { name, uid } = record(sandbox["metadata"]);
  return {
    id: String(sandbox["id"]),
    name: String(name),
    uid: String(uid),
    ready: sandbox["state"] === "SANDBOX_READY",
  };
}
