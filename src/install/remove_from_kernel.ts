/** What flock put into the kernel, found without any memory of it, as its drivers find it. */
import { type CommandRunner, expectSuccess } from "../exec/command_runner.ts";
import { readIpJson } from "../exec/read_ip_json.ts";
import { runEach } from "../fault/run_each.ts";
import { HOST_LINK } from "../hash/container_hash.ts";
import { readVeths } from "../link/kernel_ends.ts";
import { NODE_MARK } from "../link/plan_attachment.ts";
import { parseAlias } from "../link/link_alias.ts";
import { NEXT_HOP } from "../next_hop/next_hop.ts";
import { GUARD_TABLES } from "../nft/guard_model.ts";
import { POLICY_TABLE } from "../policy/names.ts";
import { ROUTE_PROTOCOL } from "../route_protocol/route_protocol.ts";

export interface KernelTools {
  readonly runner: Pick<CommandRunner, "run">;
  /** Absolute paths. */
  readonly ip: string;
  readonly nft: string;
}

/** A pod's link that is there. */
export interface PodLink {
  readonly name: string;
  /** As its alias says. */
  readonly containerId: string | undefined;
}

/** RTPROT_BIRD (rtnetlink.h); flock's BIRD writes to the main table only. */
const BIRD_PROTOCOL = 12;
const TABLES = [...GUARD_TABLES, POLICY_TABLE];
/** A link takes 24 ms, and a node may have hundreds. */
const TIMEOUT_MS = 60_000;

/** @returns the links of pods, each of a sandbox that still is */
export async function readPodLinks({ runner, ip }: KernelTools): Promise<PodLink[]> {
  const links = await readVeths({ runner, ip: [ip] });
  return links.filter(({ name }) => HOST_LINK.test(name))
    .map(({ name, alias }) => ({ name, containerId: parseAlias(alias)?.containerId }));
}

/**
 * Removes links, routes, nexthops, tables, and the next hop on `lo`; what is others' stays. Goes on after what fails.
 *
 * @param options.bgpRoutes whether BIRD's routes go too: nobody withdraws what a BIRD that was stopped has left
 * @throws naming what could not be removed
 */
export async function removeFromKernel(tools: KernelTools, { bgpRoutes }: { bgpRoutes: boolean }): Promise<void> {
  const own = ["table", "all", "proto", `${ROUTE_PROTOCOL}`];
  const learned = bgpRoutes ? [["table", "main", "proto", `${BIRD_PROTOCOL}`]] : [];
  const flushes = [own, ...learned].flatMap((which) =>
    ["-4", "-6"].map((family) => [family, "route", "flush", ...which])
  );
  await runEach([
    () => removeLinks(tools),
    ...flushes.map((words) => () => runIp(tools, words)),
    () => runIp(tools, ["nexthop", "flush", "proto", `${ROUTE_PROTOCOL}`]),
    () => removeNextHop(tools),
    () => removeNodeMark(tools),
    () => removeTables(tools),
  ]);
}

/** One that went by itself meanwhile fails its line, and the look afterwards tells. */
async function removeLinks(tools: KernelTools): Promise<void> {
  const links = await readPodLinks(tools);
  if (links.length === 0) return;
  const lines = links.map(({ name }) => `link delete dev ${name}\n`).join("");
  const argv = [tools.ip, "-force", "-batch", "-"] as const;
  const { stderr } = await tools.runner.run(argv, { stdin: lines, timeoutMs: TIMEOUT_MS });
  const left = (await readPodLinks(tools)).map(({ name }) => name);
  if (left.length > 0) throw new Error(`Cannot remove links ${left.join(", ")}: ${stderr.trim()}`);
}

async function removeNextHop(tools: KernelTools): Promise<void> {
  const [lo] = await readIpJson(tools.runner, [tools.ip, "-j", "-4", "address", "show", "dev", "lo"]) ?? [];
  const infos: unknown[] = Array.isArray(lo?.["addr_info"]) ? lo["addr_info"] : [];
  const lengths = infos.flatMap((info) => lengthOfNextHop(new Map(Object.entries(info ?? {}))));
  for (const length of lengths) await runIp(tools, ["address", "delete", `${NEXT_HOP[4]}/${length}`, "dev", "lo"]);
}

function lengthOfNextHop(info: ReadonlyMap<string, unknown>): number[] {
  return info.get("local") === NEXT_HOP[4] ? [Number(info.get("prefixlen"))] : [];
}

/** Adding it first makes one that is not there no failure. */
async function removeNodeMark({ runner, ip }: KernelTools): Promise<void> {
  const lines = ["add", "del"].map((verb) => `link property ${verb} dev lo altname ${NODE_MARK}\n`);
  const argv = [ip, "-force", "-batch", "-"] as const;
  const { stderr } = await runner.run(argv, { stdin: lines.join("") });
  if (/^Command failed -:2$/m.test(stderr)) throw new Error(`Cannot remove ${NODE_MARK} from lo: ${stderr.trim()}`);
}

/** In one transaction; adding first makes a table that is not there no failure. */
async function removeTables({ runner, nft }: KernelTools): Promise<void> {
  const text = TABLES.map((table) => `add table ${table}\ndelete table ${table}\n`).join("");
  const argv = [nft, "-f", "-"] as const;
  expectSuccess(argv, await runner.run(argv, { stdin: text, timeoutMs: TIMEOUT_MS }));
}

async function runIp({ runner, ip }: KernelTools, words: readonly string[]): Promise<void> {
  const argv = [ip, ...words] as const;
  expectSuccess(argv, await runner.run(argv, { timeoutMs: TIMEOUT_MS }));
}
