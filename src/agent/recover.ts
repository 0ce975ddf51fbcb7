import type { Clock } from "../clock/clock.ts";
import { podMacOf } from "../hash/container_hash.ts";
import type { Address } from "../ip/address.ts";
import type { Allocation } from "../ipam/allocation.ts";
import type { AttachmentDriver, FoundAttachment } from "../link/attachment_driver.ts";
import type { Logger } from "../log/logger.ts";
import type { PacketGuard } from "../nft/packet_guard.ts";
import type { RouteDriver } from "../route/route_driver.ts";
import type { StateOrigin } from "../store/state.ts";
import { addressesOf } from "./allocation_addresses.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { attachmentOf, grantsOf } from "./attachment_state.ts";
import type { DelOperation } from "./del.ts";
import { REPAIRED } from "./journal.ts";
import type { PrefixMemory } from "./prefix_memory.ts";
import type { TombstoneReplay } from "./tombstone_replay.ts";

export interface RecoverDependencies {
  readonly origin: StateOrigin;
  readonly ledger: AllocationLedger;
  readonly driver: AttachmentDriver;
  readonly guard: PacketGuard;
  readonly routes: Pick<RouteDriver, "found">;
  readonly prefixes: Pick<PrefixMemory, "load">;
  readonly del: DelOperation;
  readonly tombstones: Pick<TombstoneReplay, "replay">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Brings record and kernel together before anything is served (spec section 4): what was pending is cleaned up, what the
 * kernel has and the record lacks is adopted, what was deleted meanwhile is deleted, and every pod's path is whole again.
 */
export async function recover(deps: RecoverDependencies): Promise<void> {
  const { origin, ledger, logger } = deps;
  const found = await deps.driver.list();
  if (origin.found === "damaged") {
    const { reason, asideAs, rebuiltFrom } = origin;
    logger.error("state file damaged, rebuilding with the kernel's help", { reason, asideAs, rebuiltFrom });
    await keepAnswered(found, deps);
  }
  await adoptUnrecorded(found, deps);
  await cleanPending(deps);
  await deps.tombstones.replay();
  await ensureGuard(deps);
  const repaired = await repairPaths(deps);
  logger.info("recovered", { state: origin.found, allocations: ledger.all().length, repaired });
}

/** The write before the last may call pending what the last one had committed: a pod that runs. Its link speaks for it. */
async function keepAnswered(found: readonly FoundAttachment[], { ledger, logger }: RecoverDependencies): Promise<void> {
  const links = new Set(found.map(({ hostLink }) => hostLink));
  for (const allocation of ledger.all().filter(({ state, hostLink }) => state === "pending" && links.has(hostLink))) {
    logger.warn("kept a pending ADD that the kernel has", { container: allocation.containerId });
    await attempt("confirm", allocation.containerId, { work: ledger.confirm(allocation), logger });
  }
}

/**
 * Nothing is freed on one source's word: a veth without a record is kept, and garbage collection judges it. No veth outlives a
 * reboot, so one that is there speaks against a boot id that says so; the pods of a node whose /run/flock was lost live on.
 */
async function adoptUnrecorded(found: readonly FoundAttachment[], deps: RecoverDependencies): Promise<void> {
  const { ledger, clock, logger } = deps;
  const links = new Set(found.map(({ hostLink }) => hostLink));
  const unrecorded = found.filter(({ hostLink }) => ledger.holderOf(hostLink) === undefined);
  const served = unrecorded.length === 0 ? new Map<string, readonly Address[]>() : await readServed(deps);
  for (const attachment of unrecorded) {
    await dropOutdated(attachment, { ...deps, links });
    const anycast = served.get(attachment.hostLink) ?? [];
    const allocation = allocationOf(attachment, { createdAt: clock.wall(), anycast });
    if (allocation === undefined) {
      ledger.keepBack(attachment.addresses);
      logger.error("link without a readable alias left alone", { link: attachment.hostLink });
      continue;
    }
    await attempt("adopt", allocation.containerId, { work: ledger.adopt(allocation), logger });
    logger.warn("adopted from the kernel", { link: attachment.hostLink, container: allocation.containerId });
  }
}

/**
 * The kernel leads anycast addresses to pods that are Ready, and nobody else remembers which were: they stay announced until the API server
 * says otherwise. Who cannot be asked costs them their announcement, and nothing else.
 */
async function readServed({ routes, logger }: RecoverDependencies): Promise<ReadonlyMap<string, readonly Address[]>> {
  try {
    return await routes.found();
  } catch (error) {
    logger.error("recovery incomplete", { what: "anycast routes", error: String(error) });
    return new Map();
  }
}

/** A record of the write before the last whose address is another link's by now, and whose own link is gone, is out of date. */
async function dropOutdated(
  { addresses }: FoundAttachment,
  { ledger, logger, links }: RecoverDependencies & { links: ReadonlySet<string> },
): Promise<void> {
  const taken = new Set(addresses.map(({ text }) => text));
  const outdated = ledger.all().filter((allocation) =>
    !links.has(allocation.hostLink) && addressesOf(allocation).some(({ text }) => taken.has(text))
  );
  for (const allocation of outdated) {
    logger.warn("dropped an outdated record", { container: allocation.containerId });
    await attempt("drop", allocation.containerId, { work: ledger.drop(allocation), logger });
  }
}

/** One thing that will not be put right keeps no agent from serving the others; whoever comes next tries again. */
async function attempt(
  what: string,
  container: string,
  { work, logger }: { work: Promise<void>; logger: Logger },
): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    logger.error("recovery incomplete", { what, container, error: String(error) });
    return false;
  }
}

function allocationOf(
  found: FoundAttachment,
  { createdAt, anycast }: { createdAt: number; anycast: readonly Address[] },
): Allocation | undefined {
  const { hostLink, containerId, ifname, netnsId, network, mtu, addresses } = found;
  if (containerId === undefined || ifname === undefined) return undefined;
  const podMac = podMacOf(containerId);
  const ipv6 = addresses.find(({ family }) => family === 6)?.text;
  const ipv4 = addresses.find(({ family }) => family === 4)?.text;
  const secondary = addresses.map(({ text }) => text).filter((text) => text !== ipv6 && text !== ipv4);
  return {
    ...{ containerId, ifname, netns: found.netns ?? "", hostLink, podMac, mtu, state: "committed", createdAt },
    ...(netnsId === undefined ? {} : { netnsId }),
    ...(network === undefined ? {} : { network }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(secondary.length === 0 ? {} : { secondary }),
    ...(anycast.length === 0 ? {} : { anycast: anycast.map(({ text }) => text), ready: true }),
  };
}

/** An ADD that was under way when the agent died was never answered: its runtime deletes it or starts anew. */
async function cleanPending({ ledger, del, clock, logger }: RecoverDependencies): Promise<void> {
  for (const allocation of ledger.all().filter(({ state }) => state === "pending")) {
    logger.warn("cleaning up a pending ADD", { container: allocation.containerId });
    const work = del.run({ ...allocation, at: clock.wall() });
    await attempt("clean up", allocation.containerId, { work, logger });
  }
}

/**
 * After a reboot there is no table, and the cluster's prefixes are those that were known before it: the source checks do not wait
 * for newer ones. A table that is there stays as it is until the NodeConfigs are known, so that a restart opens nothing.
 */
async function ensureGuard({ guard, ledger, prefixes }: RecoverDependencies): Promise<void> {
  const state = { grants: ledger.all().flatMap(grantsOf), podPrefixes: prefixes.load() };
  if ((await guard.drift(state)) === undefined) await guard.replace(state);
}

/** A link that cannot be mended keeps no agent from serving; the full passes that follow try again. @returns how much was mended */
async function repairPaths({ ledger, driver, logger }: RecoverDependencies): Promise<number> {
  try {
    const { mended, left } = await driver.repair(ledger.all().map(attachmentOf));
    for (const what of mended) logger.warn(REPAIRED, { what, part: "links" });
    for (const what of left) logger.warn("not repaired", { what });
    return mended.length;
  } catch (error) {
    logger.error("recovery incomplete", { what: "repair", error: String(error) });
    return 0;
  }
}
