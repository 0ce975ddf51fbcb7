/** What gets to pods that a policy closes, and from them, in the first moments of their lives. */
import { HOST_MAC } from "../../src/link/host_mac.ts";
import { IP, NFT } from "../../src/paths/paths.ts";
import { createSandbox } from "../e2e/_sandbox.ts";
import { STREAM_PROGRAM, type StreamAnswer, type StreamRequest } from "../lab/frame_stream.ts";
import { record, records } from "../lab/json.ts";
import type { Place } from "../lab/place.ts";
import { podObject } from "../lab/pods.ts";
import { ROUTER } from "../lab/topology.ts";
import type { PolicyLab } from "./policy_lab.ts";
import { addressesOf, NAMESPACE, PROBE_PORT } from "./policy_world.ts";
import { type Ask, startResident } from "./resident.ts";
import type { SampleBook } from "./statistics.ts";

const CLOSED_PODS = 32;
const AT_ONCE = 4;
const LABEL = "closed";
const PER_SECOND = 1_000;
/** Sending goes on for so long when a pod's ADD is done, in milliseconds. */
const AFTER_MS = 100;
/** Of these pods' addresses, which are known before they are there. */
const PREFIX = "2001:db8:5::";
/** Above those of all other streams. */
const FIRST_TAG = 50_000;

/** How many datagrams came through. */
interface Leaks {
  readonly to: number;
  readonly from: number;
}

/** Adds `policy-start-leaked`: datagrams to and from closed pods, sent from the moment that there is a link. */
export async function measureStarts(policyLab: PolicyLab, book: SampleBook): Promise<void> {
  const { lab, node } = policyLab;
  await lab.api.apply({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "closed", namespace: NAMESPACE },
    spec: { podSelector: { matchLabels: { [LABEL]: "true" } }, policyTypes: ["Ingress", "Egress"] },
  });
  const [outside, inside] = await Promise.all(
    [lab.router, node].map((place) =>
      startResident<StreamRequest, StreamAnswer>(place, { program: STREAM_PROGRAM, dir: lab.dir })
    ),
  );
  if (outside === undefined || inside === undefined) return;
  const [uplink] = records(JSON.parse(await node.output([IP, "-j", "link", "show", "dev", "up0"])));
  const start = (index: number, closed: boolean): Promise<Leaks> =>
    startPod(policyLab, { index, closed, outside, inside, mac: String(uplink?.["address"]) });
  await countDatagrams(lab.router);
  const open = await start(0, false);
  if (open.to === 0 || open.from === 0) throw new Error("Cannot count what gets through: an open pod is cut off");
  for (let first = 1; first <= CLOSED_PODS; first += AT_ONCE) {
    const indices = Array.from({ length: AT_ONCE }, (_, n) => first + n);
    for (const { to, from } of await Promise.all(indices.map((index) => start(index, true)))) {
      book.add("policy-start-leaked", to + from);
    }
  }
}

interface StartOptions {
  /** From 0; makes its name and address. */
  readonly index: number;
  readonly closed: boolean;
  readonly outside: Ask<StreamRequest, StreamAnswer>;
  readonly inside: Ask<StreamRequest, StreamAnswer>;
  /** Of the node's uplink. */
  readonly mac: string;
}

/** Its neighbours of the router's side and of its own send before it is there. */
async function startPod({ lab, node }: PolicyLab, options: StartOptions): Promise<Leaks> {
  const { index, closed, outside, inside, mac } = options;
  const [name, address, tag] = [`start-${index}`, `${PREFIX}${(index + 1).toString(16)}`, FIRST_TAG + 2 * index];
  const annotations = { "flock.fritzlab.net/addresses": address };
  const { metadata, ...object } = podObject({ name, namespace: NAMESPACE, annotations, nodeName: node.name });
  const labels = { [LABEL]: `${closed}` };
  const created = await lab.api.apply({ ...object, metadata: { ...record(metadata), labels } });
  const sandbox = await createSandbox(node);
  await countDatagrams(sandbox);
  const common = { port: PROBE_PORT, perSecond: PER_SECOND };
  const there = { ...common, tag, link: `p-${node.name}`, mac, from: addressesOf(0)[6], to: address };
  const back = {
    ...common,
    tag: tag + 1,
    link: "eth0",
    netns: sandbox.id,
    mac: HOST_MAC,
    from: address,
    to: ROUTER[6],
  };
  await Promise.all([outside({ start: there }), inside({ start: back })]);
  await sandbox.add({ pod: { name, uid: String(record(created["metadata"])["uid"]) } });
  await new Promise((resolve) => setTimeout(resolve, AFTER_MS));
  await Promise.all([outside({ stop: there.tag }), inside({ stop: back.tag })]);
  const leaks = { to: await readCount(sandbox, there.from), from: await readCount(lab.router, address) };
  await sandbox.remove();
  await lab.api.delete(`/api/v1/namespaces/${NAMESPACE}/pods/${name}`);
  return leaks;
}

type Ground = Pick<Place, "output">;

/** Has the kernel count the probe's datagrams that arrive there, by their source. */
async function countDatagrams(ground: Ground): Promise<void> {
  const stdin = `table inet count {
  set sources { type ipv6_addr; size 65535; flags dynamic; counter; }
  chain arrived { type filter hook prerouting priority -300; udp dport ${PROBE_PORT} add @sources { ip6 saddr }; }
}`;
  await ground.output([NFT, "-f", "-"], { stdin });
}

async function readCount(ground: Ground, source: string): Promise<number> {
  const text = await ground.output([NFT, "list", "set", "inet", "count", "sources"]);
  return Number(new RegExp(`[ {]${source} counter packets (\\d+)`).exec(text)?.[1] ?? 0);
}
