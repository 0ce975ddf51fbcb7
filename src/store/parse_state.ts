/** The parts of the state, read from parsed JSON. Fields of entries that this release does not know are kept. */
import { FAMILIES, type Family, parseAddress } from "../ip/address.ts";
import type { Allocation } from "../ipam/allocation.ts";
import type { RestingAddress, Tombstone } from "./state.ts";
import {
  expectAnyText,
  expectArray,
  expectRecord,
  expectText,
  expectTime,
  expectWhole,
  StateDamaged,
} from "./state_damaged.ts";

/** @param index its place in the list, for the message. @throws StateDamaged */
export function parseAllocation(raw: unknown, index: number): Allocation {
  const where = `allocations[${index}]`;
  const { pod, network, netnsId, ipv6, ipv4, claimed, secondary, anycast, loose, ready, ...record } = expectRecord(
    raw,
    where,
  );
  const text = (field: string): string => expectText(record[field], `${where}.${field}`);
  return {
    ...record,
    containerId: text("containerId"),
    ifname: text("ifname"),
    netns: expectAnyText(record["netns"], `${where}.netns`),
    hostLink: text("hostLink"),
    podMac: text("podMac"),
    mtu: expectWhole(record["mtu"], `${where}.mtu`),
    ...(network !== undefined && { network: expectText(network, `${where}.network`) }),
    ...(netnsId !== undefined && { netnsId: expectText(netnsId, `${where}.netnsId`) }),
    ...(pod !== undefined && { pod: parsePodIdentity(pod, `${where}.pod`) }),
    ...(ipv6 !== undefined && { ipv6: expectAddress(ipv6, { where: `${where}.ipv6`, family: 6 }) }),
    ...(ipv4 !== undefined && { ipv4: expectAddress(ipv4, { where: `${where}.ipv4`, family: 4 }) }),
    ...(claimed !== undefined && { claimed: expectFamilies(claimed, `${where}.claimed`) }),
    ...(secondary !== undefined && { secondary: expectAddresses(secondary, `${where}.secondary`) }),
    ...(anycast !== undefined && { anycast: expectAddresses(anycast, `${where}.anycast`) }),
    ...(loose !== undefined && { loose: parseLoose(loose, `${where}.loose`) }),
    ...(ready !== undefined && { ready: ready === true }),
    state: expectAllocationState(record["state"], `${where}.state`),
    createdAt: expectTime(record["createdAt"], `${where}.createdAt`),
  };
}

/** @throws StateDamaged */
export function parseResting(raw: unknown): readonly RestingAddress[] {
  return expectArray(raw, "resting").map((entry, index) => {
    const where = `resting[${index}]`;
    const record = expectRecord(entry, where);
    return {
      ...record,
      address: expectAddress(record["address"], { where: `${where}.address` }),
      freedAt: expectTime(record["freedAt"], `${where}.freedAt`),
    };
  });
}

/** @throws StateDamaged */
export function parseTombstones(raw: unknown): readonly Tombstone[] {
  return expectArray(raw, "tombstones").map((entry, index) => {
    const where = `tombstones[${index}]`;
    const record = expectRecord(entry, where);
    return {
      ...record,
      containerId: expectText(record["containerId"], `${where}.containerId`),
      ifname: expectText(record["ifname"], `${where}.ifname`),
      until: expectTime(record["until"], `${where}.until`),
    };
  });
}

/** @throws StateDamaged */
export function parseCursors(raw: unknown): ReadonlyMap<string, string> {
  const entries = Object.entries(expectRecord(raw, "cursors"));
  return new Map(entries.map(([cidr, last]) => [cidr, expectAddress(last, { where: `cursors[${cidr}]`, family: 4 })]));
}

function parsePodIdentity(raw: unknown, where: string): NonNullable<Allocation["pod"]> {
  const record = expectRecord(raw, where);
  return {
    ...record,
    namespace: expectText(record["namespace"], `${where}.namespace`),
    name: expectText(record["name"], `${where}.name`),
    uid: expectText(record["uid"], `${where}.uid`),
  };
}

function parseLoose(raw: unknown, where: string): NonNullable<Allocation["loose"]> {
  const { secondary, anycast } = expectRecord(raw, where);
  return {
    secondary: expectAddresses(secondary, `${where}.secondary`),
    anycast: expectAddresses(anycast, `${where}.anycast`),
  };
}

function expectAddress(value: unknown, { where, family }: { where: string; family?: Family }): string {
  const text = expectText(value, where);
  const address = parseAddress(text);
  const fits = address?.text === text && (family === undefined || address.family === family);
  if (!fits) throw new StateDamaged(`${where} is no IP${family === undefined ? "" : `v${family}`} address`);
  return text;
}

function expectAddresses(value: unknown, where: string): readonly string[] {
  return expectArray(value, where).map((text, index) => expectAddress(text, { where: `${where}[${index}]` }));
}

function expectFamilies(value: unknown, where: string): readonly Family[] {
  return expectArray(value, where).map((entry) => {
    const family = FAMILIES.find((known) => known === entry);
    if (family === undefined) throw new StateDamaged(`${where} holds something else than 4 and 6`);
    return family;
  });
}

function expectAllocationState(value: unknown, where: string): Allocation["state"] {
  if (value !== "pending" && value !== "committed") throw new StateDamaged(`${where} is neither pending nor committed`);
  return value;
}
