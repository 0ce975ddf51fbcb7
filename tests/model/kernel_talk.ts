/** What the kernel says of pods' host ends, as ip monitor's lines are read. Pure. */
import type { IpEvent } from "../../src/exec/parse_ip_event.ts";
import type { Attachment, AttachmentDriver } from "../../src/link/attachment_driver.ts";
import { HOST_MAC } from "../../src/link/host_mac.ts";
import { renderAlias } from "../../src/link/link_alias.ts";
import { NEXT_HOP_LENGTH } from "../../src/link/plan_attachment.ts";
import { NEXT_HOP } from "../../src/next_hop/next_hop.ts";
import { POD_ROUTE_METRIC, ROUTE_PROTOCOL } from "../../src/route_protocol/route_protocol.ts";
import type { Alteration } from "../fakes/memory_damage.ts";

/** Whom it is said to. */
export type Hear = (event: IpEvent) => void;

/** A path was made. */
export function madeEvents(attachment: Attachment): IpEvent[] {
  const { hostLink, addresses } = attachment;
  return [
    linkEvent(attachment, { gone: false }),
    ...(addresses.some(({ family }) => family === 6) ? [addressEvent(hostLink, { gone: false })] : []),
    ...addresses.flatMap((_, index) => [
      routeEvent(attachment, { gone: false, index }),
      neighborEvent(attachment, { gone: false, index }),
    ]),
  ];
}

/** A link went, and all on it, of which the kernel says nothing. */
export function goneEvent(hostLink: string): IpEvent {
  const state = { up: false, carrier: false, mtu: 1500, mac: HOST_MAC, arp: true, alias: "" };
  return { kind: "link", gone: true, index: indexOf(hostLink), link: hostLink, ...state };
}

/** Somebody altered a path. @returns nothing where the kernel says nothing */
export function alterationEvents(attachment: Attachment, what: Alteration): IpEvent[] {
  switch (what) {
    case "link":
      return [goneEvent(attachment.hostLink)];
    case "route":
      return [routeEvent(attachment, { gone: true, index: 0 })];
    case "address":
      return [addressEvent(attachment.hostLink, { gone: true })];
    case "neighbour":
      return [neighborEvent(attachment, { gone: true, index: 0 })];
    case "sysctl":
    case "pod end":
      return [];
  }
}

/** @returns the driver, and what the kernel says of what it does is heard */
export function heard(driver: AttachmentDriver, hear: Hear): AttachmentDriver {
  return {
    check: (attachment, reported) => driver.check(attachment, reported),
    list: () => driver.list(),
    close: () => driver.close(),
    attach: async (attachment) => {
      try {
        await driver.attach(attachment);
      } catch (error) {
        hear(goneEvent(attachment.hostLink));
        throw error;
      }
      madeEvents(attachment).forEach(hear);
    },
    detach: async (hostLinks) => {
      await driver.detach(hostLinks);
      hostLinks.map(goneEvent).forEach(hear);
    },
    mend: async (attachment) => {
      const isMended = await driver.mend(attachment);
      if (isMended) madeEvents(attachment).forEach(hear);
      return isMended;
    },
    rebind: async (before, after) => {
      await driver.rebind(before, after);
      madeEvents(after).forEach(hear);
    },
    repair: async (attachments) => {
      const repair = await driver.repair(attachments);
      const mended = attachments.filter(({ hostLink }) => repair.mended.some((what) => what.includes(hostLink)));
      mended.flatMap(madeEvents).forEach(hear);
      return repair;
    },
  };
}

function linkEvent(attachment: Attachment, { gone }: { gone: boolean }): IpEvent {
  const { hostLink, mtu } = attachment;
  const state = { up: true, carrier: true, mtu, mac: HOST_MAC, arp: true, alias: renderAlias(attachment) };
  return { kind: "link", gone, index: indexOf(hostLink), link: hostLink, ...state };
}

function addressEvent(hostLink: string, { gone }: { gone: boolean }): IpEvent {
  return { kind: "address", gone, link: hostLink, address: NEXT_HOP[6], length: NEXT_HOP_LENGTH, words: [] };
}

function routeEvent({ hostLink, addresses }: Attachment, { gone, index }: { gone: boolean; index: number }): IpEvent {
  const { family = 4, text = "" } = addresses[index] ?? {};
  const route = { type: "unicast", destination: text, link: hostLink, protocol: String(ROUTE_PROTOCOL) };
  const details = family === 4 ? ["scope link"] : [];
  return { kind: "route", gone, family, ...route, metric: String(POD_ROUTE_METRIC), details };
}

function neighborEvent(
  { hostLink, podMac, addresses }: Attachment,
  { gone, index }: { gone: boolean; index: number },
): IpEvent {
  const { text = "" } = addresses[index] ?? {};
  return { kind: "neighbor", gone, link: hostLink, address: text, mac: podMac, permanent: true };
}

function indexOf(hostLink: string): number {
  return Number.parseInt(hostLink.slice("flock".length), 16);
}
