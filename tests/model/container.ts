import { hostLinkName } from "../../src/hash/container_hash.ts";
import type { Look } from "./look.ts";
import type { Call } from "./runtime.ts";

/** What one container is to its runtime. */
export interface Container {
  readonly id: string;
  /** Name of its host link. */
  readonly link: string;
  /** Whether there is a namespace at its path. */
  netns: boolean;
  /** Whether its namespace lives on without a path. */
  held: boolean;
  /** Calls that have not been answered. */
  readonly open: Set<Call>;
  /** ADDs that the runtime has given up: a DEL followed, or their sandbox died. */
  readonly abandoned: Set<Call>;
  /** What the runtime was told that it has; undefined when it relies on nothing. */
  live: readonly string[] | undefined;
  /** Whether the runtime was told that nothing is left. */
  gone: boolean;
  /** Which of all calls the newest answered DEL was. */
  deletedAt: number;
  /** Whether that one is sure to be on the disk. */
  deletionKept: boolean;
  /** Whether somebody has altered its path or its grants, and the agent has not made them good since. */
  altered: boolean;
}

/** @returns one that nobody has asked anything of */
export function newContainer(id: string): Container {
  return {
    ...{ id, link: hostLinkName(id), netns: false, held: false, live: undefined, gone: false, altered: false },
    ...{ deletedAt: -Infinity, deletionKept: true, open: new Set<Call>(), abandoned: new Set<Call>() },
  };
}

/** @returns whether an ADD of it has not been answered */
export function isBeingAdded({ open }: Container): boolean {
  return [...open].some(({ verb }) => verb === "ADD");
}

/** @returns whether a container has all of what it was answered that a pass makes good */
export function isMended({ link, live }: Container, { links, grants, damaged }: Look): boolean {
  if (live === undefined) return true;
  const isRouted = links.get(link)?.addresses.join(",") === live.join(",");
  return isRouted && !damaged.host.has(link) && live.every((text) => grants?.has(`${link} ${text}`));
}

/** @returns whether CHECK should find nothing wrong with a container */
export function isWhole(container: Container, look: Look): boolean {
  return isMended(container, look) && !look.damaged.pod.has(container.link);
}

/** What a container's pod asks for by annotation. */
export function annotationsOf(id: string): Readonly<Record<string, string>> {
  const { 6: ipv6, 4: ipv4 } = familiesOf(id);
  return {
    ...(ipv6 === undefined ? {} : { "flock.fritzlab.net/ipv6": String(ipv6) }),
    ...(ipv4 === undefined ? {} : { "flock.fritzlab.net/ipv4": String(ipv4) }),
  };
}

/** What a container's pod says of each family; nothing: the NodeConfig decides. */
export function familiesOf(id: string): { 6?: boolean; 4?: boolean } {
  const number = Number(id.slice(1));
  if (number % 7 === 5) return { 6: true, 4: false };
  return number % 7 === 6 ? { 6: false, 4: true } : {};
}
