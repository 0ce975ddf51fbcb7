import { CNI_CODE, CniError } from "../cnispec/cni_error.ts";
import type { CheckRequest } from "../cnispec/cni_request.ts";
import { quote } from "../fault/invalid_input.ts";
import { type Family, parseAddress, parseInterfaceAddress } from "../ip/address.ts";
import { type Allocation, allocationKey } from "../ipam/allocation.ts";
import type { AttachmentDriver, ReportedPodEnd } from "../link/attachment_driver.ts";
import { DEFAULT_ROUTE } from "../next_hop/next_hop.ts";
import type { PacketGuard } from "../nft/packet_guard.ts";
import { primariesOf } from "./allocation_addresses.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { findDifferences, isSameNetns } from "./attachment_state.ts";
import type { PodIsolation } from "./pod_isolation.ts";

/** A prevResult may list thousands of addresses that are none of ours. */
const MAX_SHOWN = 20;

export interface CheckDependencies {
  readonly ledger: AllocationLedger;
  readonly driver: AttachmentDriver;
  readonly guard: PacketGuard;
  readonly isolation: Pick<PodIsolation, "check">;
}

/** Compares what a container has with what it was given. Changes nothing. */
export class CheckOperation {
  constructor(private readonly deps: CheckDependencies) {}

  /** @throws CniError that names every difference */
  async run(request: CheckRequest): Promise<void> {
    const allocation = this.deps.ledger.get(allocationKey(request));
    if (allocation?.state !== "committed") throw failed(request, ["no allocation is recorded for it"]);
    const differences = [
      ...recordDifferences(allocation, request),
      ...await findDifferences(allocation, { ...this.deps, reported: reportedPodEnd(request) }),
      ...await this.deps.isolation.check(allocation),
    ];
    if (differences.length > 0) throw failed(request, differences);
  }
}

function recordDifferences(allocation: Allocation, request: CheckRequest): string[] {
  return [
    ...addressDifferences(allocation, request),
    ...interfaceDifferences(allocation, request),
    ...(isSameNetns(allocation.netns, request.netns) ? [] : [`it was added in netns ${allocation.netns}`]),
  ];
}

/** Another address beside ours is a later plugin's; in the place of ours it is wrong. */
function addressDifferences(allocation: Allocation, request: CheckRequest): string[] {
  const own = primariesOf(allocation).map(({ text }) => text);
  const reported = reportedAddresses(request);
  const lacking = own.filter((text) => !reported.includes(text));
  if (lacking.length === 0) return [];
  return [
    ...lacking.map((text) => `prevResult lacks ${text}, which was allocated`),
    ...reported.filter((text) => !own.includes(text)).map((text) => `prevResult has ${text}, which was not allocated`),
  ];
}

/** What the runtime believes that this interface has; other interfaces of a chain are not ours to judge. */
function reportedAddresses({ previous, ifname }: CheckRequest): string[] {
  const own = previous.ips.filter(({ interface: index }) =>
    index === undefined || previous.interfaces[index]?.name === ifname
  );
  return own.map(({ address }) => parseInterfaceAddress(address)?.address.text ?? quote(address));
}

/**
 * Results without our interface say nothing of it. Another MAC address is wrong, though a later plugin may have said so: the node
 * sends to the one that it knows, so that a pod which has another hears nothing.
 */
function interfaceDifferences({ podMac }: Allocation, { previous, ifname, netns }: CheckRequest): string[] {
  const ends = previous.interfaces.filter(({ name, sandbox }) => name === ifname && sandbox !== undefined);
  const own = ends.find(({ sandbox = "" }) => isSameNetns(sandbox, netns));
  if (own === undefined) return ends.map(({ sandbox = "" }) => `prevResult has ${ifname} in ${quote(sandbox)}`);
  const mac = own.mac?.toLowerCase() ?? podMac;
  return mac === podMac ? [] : [`prevResult has MAC ${quote(mac)} for ${ifname} instead of ${podMac}`];
}

/** A later plugin may have changed MTU and routes, as long as the result says so (SPEC 1.1.0, CHECK). */
function reportedPodEnd({ previous, ifname }: CheckRequest): ReportedPodEnd {
  const mtu = previous.interfaces.find(({ name, sandbox }) => name === ifname && sandbox !== undefined)?.mtu;
  const defaultRoutes = new Map(([4, 6] as const).flatMap((family) => reportedGateways(previous, family)));
  return { defaultRoutes, ...(mtu === undefined ? {} : { mtu }) };
}

/** @returns an entry for the family's default route, if one is listed; where one names no gateway, none counts */
function reportedGateways({ routes }: CheckRequest["previous"], family: Family): [Family, readonly string[]][] {
  const listed = routes.filter(({ dst }) => dst === DEFAULT_ROUTE[family]);
  if (listed.length === 0) return [];
  const gateways = listed.flatMap(({ gw }) => gw === undefined ? [] : [parseAddress(gw)?.text ?? quote(gw)]);
  return [[family, gateways.length < listed.length ? [] : gateways]];
}

function failed({ containerId, ifname }: CheckRequest, differences: readonly string[]): CniError {
  const more = differences.length - MAX_SHOWN;
  const shown = differences.slice(0, MAX_SHOWN).join("; ") + (more > 0 ? `; and ${more} more` : "");
  return new CniError(CNI_CODE.checkFailed, `Cannot confirm container ${containerId} ${ifname}: ${shown}`);
}
