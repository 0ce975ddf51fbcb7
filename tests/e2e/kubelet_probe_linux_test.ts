// deno-lint-ignore-file no-console -- says what it measured
/**
 * How long routers lead to a pod whose process has died: what the real kubelet takes to notice, and what flock adds.
 */
import { assertLess } from "@std/assert";
import { startLoneKubelet } from "../cluster/lone_kubelet.ts";
import { type BgpWire, listenToBgp } from "../lab/bgp_wire.ts";
import { record, records } from "../lab/json.ts";
import { createLab, type Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { PAUSE_IMAGE } from "../lab/pause_image.ts";
import { until } from "../lab/until.ts";
import { alone, annotationsOf, now } from "./_service_pod.ts";

const ASSETS = Deno.env.get("KUBEBUILDER_ASSETS");
const TITLE = "the real kubelet: a pod whose process is killed is withdrawn within its probe's period and a moment";
const KILLS = 4;
const PERIOD_MS = 1_000;
/** Of kubelet, which looks at its containers once a second and writes what it found, and of a busy machine. */
const MOMENT_MS = 2_000;
/** Flock's part, of all that. */
const OWN_MS = 500;

interface Served {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** Its server is not its first process, so that only the probe can tell; another one comes after a while. */
const PROBED: Served = { name: "probed", address: "198.18.0.1", port: 8081 };
/** Its server is all there is of it: kubelet hears of its end from the runtime. */
const BARE: Served = { name: "bare", address: "198.18.0.2", port: 8082 };

Deno.test({
  name: ASSETS === undefined ? `${TITLE}: SKIPPED, KUBEBUILDER_ASSETS names no folder with kubelet` : TITLE,
  ignore: ASSETS === undefined,
  fn: async () => {
    await using lab = await createLab({ nodes: 1, api: "real" });
    const node = lab.node("node-a");
    await node.serve({ binDir: `${ASSETS}/containerd` });
    await startLoneKubelet(node, { assets: ASSETS ?? "", labId: lab.id, api: lab.api });
    await using wire = await listenToBgp(lab.router, { link: "br0", directory: lab.dir });
    await lab.api.apply(podOf(node, PROBED, ["sh", "-c", `while :; do ${serverOf(PROBED)}; sleep 2; done`]));
    await lab.api.apply(podOf(node, BARE, serverOf(BARE).split(" ")));
    const kills = [...Array.from({ length: KILLS }, () => PROBED), BARE];
    for (const [index, pod] of kills.entries()) {
      const { noticed, withdrawn } = await kill(pod, { lab, node, wire, phaseMs: index * PERIOD_MS / KILLS });
      const times = [noticed, withdrawn].map((ms) => Math.round(ms));
      console.log(`${pod.name}: not Ready after ${times[0]} ms, withdrawn after ${times[1]} ms`);
      assertLess(withdrawn, PERIOD_MS + MOMENT_MS);
      assertLess(withdrawn - noticed, OWN_MS);
    }
  },
});

/** @returns milliseconds until the API server had it, as far as polling tells, and until it was on the wire */
async function kill(
  { name, address, port }: Served,
  { lab, node, wire, phaseMs }: {
    readonly lab: Lab;
    readonly node: LabNode;
    readonly wire: BgpWire;
    /** How long to wait first: a probe of every second has been a moment ago. */
    readonly phaseMs: number;
  },
): Promise<{ noticed: number; withdrawn: number }> {
  const prefix = alone(address);
  await lab.router.waitForRoute(prefix, { timeoutMs: 30_000 });
  await until(`${address} answers`, async () => await isServed(lab, { address, port }));
  await new Promise((resolve) => setTimeout(resolve, phaseMs));
  const at = now();
  await node.output(["pkill", "-KILL", "-f", `^/bin/busybox httpd -f -p ${port}`]);
  const noticed = await until(`${name} is not Ready`, async () => await isReady(lab, name) ? null : now() - at);
  const { at: told } = await wire.first(`${prefix} is withdrawn`, (it) => it.at > at && it.withdrawn.includes(prefix));
  return { noticed, withdrawn: told - at };
}

async function isServed({ client }: Lab, { address, port }: Pick<Served, "address" | "port">): Promise<boolean> {
  return (await client.exec(["busybox", "nc", "-w", "1", address, `${port}`, "-e", "true"])).code === 0;
}

async function isReady({ api }: Lab, name: string): Promise<boolean> {
  const { conditions } = record((await api.get(`/api/v1/namespaces/default/pods/${name}`))?.["status"]);
  return records(conditions).some(({ type, status }) => type === "Ready" && status === "True");
}

function serverOf({ port }: Served): string {
  return `/bin/busybox httpd -f -p ${port}`;
}

function podOf(node: LabNode, { name, address, port }: Served, command: readonly string[]): Record<string, unknown> {
  const readinessProbe = { tcpSocket: { port }, periodSeconds: PERIOD_MS / 1000, failureThreshold: 1 };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name, annotations: annotationsOf({ name, anycast: [address] }) },
    spec: {
      ...{ nodeName: node.name, automountServiceAccountToken: false, enableServiceLinks: false },
      containers: [{ name: "main", image: PAUSE_IMAGE, command, readinessProbe }],
    },
  };
}
