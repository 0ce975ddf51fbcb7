/** What requests to an anycast address suffer, from a client behind the router. */
import { alone, now, runServicePod, type ServicePod } from "../e2e/_service_pod.ts";
import type { LabNode } from "../lab/node.ts";
import type { Daemon } from "../lab/process.ts";
import { askFlows, startLoad } from "../lab/traffic.ts";
import { pause } from "../lab/until.ts";
import type { AnycastLab } from "./anycast_lab.ts";
import type { SampleBook } from "./statistics.ts";

const SERVICE = { 4: "198.18.0.1", 6: "2001:db8:a::1" } as const;
const BOTH = Object.values(SERVICE);
const PREFIXES = BOTH.map(alone);
/** For so long a pod answers after SIGTERM, which it gets with its `deletionTimestamp`. */
const DRAIN_MS = 3_000;
const SETTLE_MS = 1_000;
const SHARED = "2001:db8:a::2";
const FLOWS = 10_000;

interface Replica {
  readonly pod: ServicePod;
  readonly responder: Daemon;
}

/** Adds `restart-lost`, and `kill-lost` and `kill-changes`: a sample for each family. */
export async function measureRestarts(scene: AnycastLab, book: SampleBook): Promise<void> {
  const { lab, nodes } = scene;
  let generation = 0;
  const start = async (node: LabNode): Promise<Replica> => {
    const name = `dns-${node.name}-${generation}`;
    const pod = await runServicePod(lab, node, { name, anycast: BOTH });
    const responder = await pod.respond(BOTH);
    await pod.setReady(true);
    return { pod, responder };
  };
  let replicas = await Promise.all(nodes.map(start));
  for (const address of BOTH) {
    await untilPaths(scene, nodes.length);
    book.add(
      "restart-lost",
      await lostDuring(scene, address, async () => {
        generation++;
        const next: Replica[] = [];
        for (const [index, node] of nodes.entries()) {
          const old = replicas[index];
          if (old !== undefined) await end(old);
          await untilPaths(scene, nodes.length - 1);
          next.push(await start(node));
          await untilPaths(scene, nodes.length);
        }
        replicas = next;
      }),
    );
  }
  for (const address of BOTH) await measureKill(scene, { address, book });
  await Promise.all(replicas.map(end));
}

/** As kubelet does: SIGTERM with the deletion, and the sandbox goes when the process has gone. */
async function end({ pod, responder }: Replica): Promise<void> {
  await pod.terminate();
  await pause(DRAIN_MS);
  await responder.stop("SIGKILL");
  await pod.remove();
}

async function measureKill(
  scene: AnycastLab,
  { address, book }: { readonly address: string; readonly book: SampleBook },
): Promise<void> {
  await pause(SETTLE_MS);
  const at = now();
  book.add(
    "kill-lost",
    await lostDuring(scene, address, async () => {
      for (const node of scene.nodes) {
        await node.stopAgent("SIGKILL");
        await pause(SETTLE_MS);
        await node.startAgent();
        await pause(SETTLE_MS);
      }
    }),
  );
  const routes = (await scene.frr.events()).filter((event) => event.at > at);
  const messages = (await scene.wire.heard()).filter((message) => message.at > at);
  book.add("kill-changes", routes.length + messages.length);
}

/** Adds `share` and `moved`: two pods of one node behind one address, of which one leaves. */
export async function measureShares({ lab, nodes: [, node] }: AnycastLab, book: SampleBook): Promise<void> {
  const [stays, leaves] = await Promise.all(["stays", "leaves"].map(async (name) => {
    const pod = await runServicePod(lab, node, { name, anycast: [SHARED] });
    await pod.respond([SHARED]);
    await pod.setReady(true);
    return pod;
  }));
  await lab.router.waitForRoute(alone(SHARED));
  await pause(SETTLE_MS);
  const before = await askAll(lab.client);
  const share = [...before.values()].filter((name) => name === "stays").length / FLOWS;
  book.add("share", 100 * Math.abs(share - 0.5) / 0.5);
  await leaves?.terminate();
  await pause(SETTLE_MS);
  const after = await askAll(lab.client);
  book.add("moved", [...before].filter(([port, name]) => name === "stays" && after.get(port) !== name).length);
  if (new Set(after.values()).size !== 1) throw new Error("Cannot count flows: the pod that left still answers");
  await Promise.all([stays?.remove(), leaves?.remove()]);
}

async function askAll(client: Parameters<typeof askFlows>[0]): Promise<ReadonlyMap<string, string>> {
  const answers = await askFlows(client, SHARED, FLOWS);
  if (answers.size !== FLOWS) throw new Error(`Cannot count flows: ${FLOWS - answers.size} got no answer`);
  return answers;
}

/** @returns how many requests of a kilohertz got no answer */
async function lostDuring({ lab }: AnycastLab, address: string, task: () => Promise<void>): Promise<number> {
  const load = await startLoad(lab.client, address);
  await task();
  return (await load.stop()).lost;
}

async function untilPaths({ lab }: AnycastLab, count: number): Promise<void> {
  for (const prefix of PREFIXES) await lab.router.waitForPaths(prefix, count);
}
