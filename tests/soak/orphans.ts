/** What nobody will ever delete, so that garbage collection must; and network namespaces that nobody knows any more. */
import { NETNS_DIR } from "../../src/paths/paths.ts";
import type { Member } from "./cluster.ts";
import type { StateSight } from "./checks/state.ts";
import { records } from "../lab/json.ts";
import type { Report } from "./report.ts";
import { readState } from "./sight.ts";

/** A container that no answer ever named is an attempt's that failed; the runtime forgot it, with or without a DEL. */
export function oweWhatNobodyNamed({ book, kubelet }: Member, { allocations }: Pick<StateSight, "allocations">): void {
  for (const { containerId } of allocations) {
    const lives = kubelet.live.some(({ sandbox }) => sandbox.id === containerId);
    if (!lives && !book.named.has(containerId)) book.debts.owe(containerId, Date.now());
  }
}

/** A network namespace of the runtime's that none of its sandboxes has. */
export interface Orphan {
  readonly name: string;
  /** Wall clock, milliseconds. */
  readonly bornAt: number;
  /** `link: container` of the host ends whose other end is in there. */
  readonly links: readonly { readonly link: string; readonly containerId: string }[];
}

/** Longer than the runtime's caller waits for one attempt, in milliseconds. */
const LONGEST_ATTEMPT_MS = 125_000;
const LOOK_EVERY_MS = 500;

/**
 * containerd makes the network namespace (`cni-UUID`; flock never makes one) and records the sandbox a little later: killed in
 * between, it comes back without any memory of it, and sends no DEL. So it is containerd's leak, and flock must not touch what may be
 * somebody's, if containerd was killed while the attempt could be under way. Any other is a discrepancy: containerd keeps what it has
 * recorded, so somebody made it forget. What flock has in there must be in its state all the same, or its collector would
 * never learn of it.
 *
 * @returns one line for each thing that this does not explain
 */
export function judgeOrphans(
  orphans: readonly Orphan[],
  { kills, allocated }: { readonly kills: readonly number[]; readonly allocated: ReadonlySet<string> },
): string[] {
  return orphans.flatMap(({ name, bornAt, links }) => [
    ...(kills.some((at) => at >= bornAt && at - bornAt < LONGEST_ATTEMPT_MS)
      ? []
      : [`network namespace ${name} is nobody's, and no containerd was killed while it could be made`]),
    ...links.filter(({ containerId }) => !allocated.has(containerId))
      .map(({ link, containerId }) =>
        `${link} of ${containerId} is in ${name}, which is nobody's, and has no allocation`
      ),
  ]);
}

/**
 * Waits a little for what an attempt that nobody waits for any more has still to do, then counts, reports and removes.
 *
 * @returns one line for each thing that must not be
 */
export async function settleOrphans(
  member: Member,
  { report, settleMs }: { readonly report: Report; readonly settleMs: number },
): Promise<string[]> {
  const { lab: node, containerdKills: kills } = member.node;
  const deadline = Date.now() + settleMs;
  for (;;) {
    const orphans = await findOrphans(member);
    const allocated = new Set((await readState(node)).allocations.map(({ containerId }) => containerId));
    const wrong = judgeOrphans(orphans, { kills, allocated });
    if (wrong.length === 0 || Date.now() > deadline) {
      report.counts.orphans += orphans.length;
      if (orphans.length > 0) report.note("orphans", { node: node.name, orphans, containerdKilledAt: kills });
      await reapOrphans(member, orphans);
      return wrong;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** @returns the runtime's namespaces that none of its sandboxes has */
async function findOrphans({ node, kubelet }: Member): Promise<Orphan[]> {
  const owned = new Set(kubelet.live.map(({ sandbox }) => nameOf(sandbox.netns)));
  for (const { id } of await node.cri.listSandboxes()) owned.add(nameOf((await node.cri.sandboxStatus(id)).netns));
  const listing = await node.lab.output(["sh", "-c", `cd ${NETNS_DIR} && stat -c '%n %.3Y' cni-* 2>/dev/null; true`]);
  const links = records(
    JSON.parse((await node.lab.output(["ip", "-j", "-d", "link", "show", "type", "veth"])) || "[]"),
  );
  return listing.split("\n").filter((line) => line !== "").map((line) => line.split(" ")).flatMap(([name = "", born]) =>
    owned.has(name) ? [] : [{ name, bornAt: Number(born) * 1000, links: links.flatMap((link) => endIn(name, link)) }]
  );
}

/** By what the link's alias says: container, interface, namespace. */
function endIn(name: string, { ifname, ifalias }: Record<string, unknown>): Orphan["links"] {
  const [containerId = "", , netns = ""] = String(ifalias ?? "").split(" ");
  return nameOf(netns) === name ? [{ link: String(ifname), containerId }] : [];
}

function nameOf(netns: string): string {
  return netns.replace(/^.*\//, "");
}

/** As an operator would: processes and namespace go, and what flock has there is left to its garbage collection. */
async function reapOrphans({ node, book }: Member, orphans: readonly Orphan[]): Promise<void> {
  const names = new Set(orphans.map(({ name }) => name));
  for (const { netns, containerId } of (await readState(node.lab)).allocations) {
    if (names.has(nameOf(netns))) book.debts.owe(containerId, Date.now());
  }
  for (const name of names) {
    await node.lab.exec([
      "sh",
      "-c",
      'for p in $(ip netns pids "$0"); do kill -9 $p; done; ip netns delete "$0"',
      name,
    ]);
  }
}
