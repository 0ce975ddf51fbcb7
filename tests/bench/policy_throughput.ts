/** TCP from pod to pod of one node: with a thousand policies, with none, and over links without flock. */
import { IP, NFT } from "../../src/paths/paths.ts";
import { renderPolicyTable } from "../../src/policy/render_policy_table.ts";
import type { Sandbox } from "../e2e/_sandbox.ts";
import { record } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";
import type { ExecOptions, Place } from "../lab/place.ts";
import { until } from "../lab/until.ts";
import { linkByHand } from "./policy_by_hand.ts";
import type { PolicyLab } from "./policy_lab.ts";
import { type SampleBook, shuffled } from "./statistics.ts";

const ROUNDS = 9;
const PORT = "5201";
const BYTES = "2G";
const RULES = 1_000;
const RUN_TIMEOUT_MS = 60_000;
const SERVER = { ipv6: "2001:db8:be::3", ipv4: "198.19.255.3" };
const CLIENT = { ipv6: "2001:db8:be::2", ipv4: "198.19.255.2" };

/** What is loaded into a node's nft before a run, and where the run is. */
interface Course {
  readonly name: "policies" | "open" | "bare" | "linear";
  readonly node: LabNode;
  readonly script: string;
  readonly client: Pick<Place, "output">;
  readonly server: string;
}

/**
 * Adds, for each round, what of the throughput is lost, in percent: `throughput-policies` to the table against none, `throughput-open` to flock without policies against bare links,
 * `throughput-linear` to a thousand rules one behind the other against bare links; and `throughput-bare`, in Gbit/s. The agent must not run: it would put its table back.
 *
 * @param options.table with the policies; the first two of the node's pods may talk
 */
export async function measureThroughput(
  { node, byHand, locals }: PolicyLab,
  { table, book }: { readonly table: string; readonly book: SampleBook },
): Promise<void> {
  const [server, client] = locals;
  if (server === undefined || client === undefined) throw new Error("Cannot measure throughput: there are no pods");
  const bare = await makePair(byHand);
  await Promise.all([serve(server.sandbox, server.sandbox.address(6)), serve(bare.server, SERVER.ipv6)]);
  const open = renderPolicyTable({ sets: new Map(), chains: new Map(), pods: new Map() });
  const own = { node, client: client.sandbox, server: server.sandbox.address(6) };
  const other = { node: byHand, client: bare.client, server: SERVER.ipv6 };
  const courses: readonly Course[] = [
    { ...own, name: "policies", script: table },
    { ...own, name: "open", script: open },
    { ...other, name: "bare", script: "flush ruleset" },
    { ...other, name: "linear", script: renderLinear() },
  ];
  for (let round = 0; round <= ROUNDS; round++) {
    const speeds = new Map<Course["name"], number>();
    for (const course of shuffled(courses, Math.random)) speeds.set(course.name, await run(course));
    if (round > 0) addLosses(speeds, book);
  }
}

function addLosses(speeds: ReadonlyMap<Course["name"], number>, book: SampleBook): void {
  const lost = (name: Course["name"], than: Course["name"]): number =>
    100 * (1 - (speeds.get(name) ?? 0) / (speeds.get(than) ?? 0));
  book.add("throughput-policies", lost("policies", "open"));
  book.add("throughput-open", lost("open", "bare"));
  book.add("throughput-linear", lost("linear", "bare"));
  book.add("throughput-bare", (speeds.get("bare") ?? 0) / 1e9);
}

/** @returns bits a second */
async function run({ node, script, client, server }: Course): Promise<number> {
  await node.output([NFT, "-f", "-"], { stdin: script, timeoutMs: RUN_TIMEOUT_MS });
  const argv = ["iperf3", "-c", server, "-p", PORT, "-n", BYTES, "-J", "--connect-timeout", "5000"];
  const { end } = record(JSON.parse(await client.output(argv, { timeoutMs: RUN_TIMEOUT_MS })));
  return Number(record(record(end)["sum_received"])["bits_per_second"]);
}

async function serve(ground: Pick<Sandbox, "spawn" | "exec">, address: string): Promise<void> {
  await ground.spawn("iperf3", ["iperf3", "-s", "-p", PORT, "-B", address]);
  await until("iperf3 listens", async () => (await ground.exec(["ss", "-Htln", `sport = :${PORT}`])).stdout !== "");
}

/** Two links as flock makes them, and nothing else. */
async function makePair(
  node: LabNode,
): Promise<{ server: Pick<Sandbox, "spawn" | "exec">; client: Pick<Place, "output"> }> {
  const [server, client] = ["iperf-server", "iperf-client"];
  for (const [netns, addresses] of [[server, SERVER], [client, CLIENT]] as const) {
    await linkByHand(node, { hostLink: `${netns}0`, netns, mtu: 9000, ...addresses });
  }
  const within = (netns: string, argv: readonly string[]): string[] => [IP, "netns", "exec", netns, ...argv];
  return {
    server: {
      exec: (argv, options?: ExecOptions) => node.exec(within(server, argv), options),
      spawn: (name, argv, options) => node.spawn(name, within(server, argv), options),
    },
    client: { output: (argv, options?: ExecOptions) => node.output(within(client, argv), options) },
  };
}

/** Asked for every packet, as a firewall without sets would. */
function renderLinear(): string {
  const rules = Array.from({ length: RULES }, (_, n) => `    ip6 saddr 2001:db8:dead::${(n + 1).toString(16)} drop`);
  const hook = "type filter hook postrouting priority 99; policy accept;";
  return ["flush ruleset", "table inet linear {", "  chain rules {", `    ${hook}`, ...rules, "  }", "}", ""].join(
    "\n",
  );
}
