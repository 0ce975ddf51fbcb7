/** What the alias of a host end says; it outlives the agent and its state file. */
export interface LinkOwner {
  readonly containerId: string;
  readonly ifname: string;
  /** This, and what follows, is absent where it would not fit, and where it is not known. */
  readonly netns?: string;
  /** Which namespace was at that path. */
  readonly netnsId?: string;
  /** Name of the network that it was added to. */
  readonly network?: string;
}

/** The kernel's limit, IFALIASZ less the terminating zero. */
const MAX_ALIAS_BYTES = 255;

/** Stands for a word that nobody knows, where one follows it. */
const UNKNOWN = "-";

const ALIAS =
  /^([a-zA-Z0-9][\w.-]{0,127}) ([a-zA-Z0-9][\w.-]{0,14})(?: (\/\S+|-)(?: ([\w:]+|-)(?: ([a-zA-Z0-9][\w.-]*))?)?)?$/;

/** @returns whether it is a path from the root, of harmless characters, that climbs nowhere */
export function isPlainPath(path: string): boolean {
  return /^(\/[\w.:@+-]+)+$/.test(path) && !path.split("/").some((part) => part === "." || part === "..");
}

/** @returns `CONTAINER IFNAME NETNS NETNSID NETWORK`, less what does not fit; none of the words has a space */
export function renderAlias({ containerId, ifname, netns, netnsId, network }: LinkOwner): string {
  const known = [netns !== undefined && isPlainPath(netns) ? netns : undefined, netnsId, network];
  while (known.length > 0 && known.at(-1) === undefined) known.pop();
  const words = [containerId, ifname, ...known.map((word) => word ?? UNKNOWN)];
  while (words.join(" ").length > MAX_ALIAS_BYTES) words.pop();
  return words.join(" ");
}

/** @returns undefined when the alias is not one of ours */
export function parseAlias(alias: string): LinkOwner | undefined {
  const [, containerId, ifname, ...known] = ALIAS.exec(alias) ?? [];
  if (containerId === undefined || ifname === undefined) return undefined;
  const [netns, netnsId, network] = known.map((word) => word === UNKNOWN ? undefined : word);
  return {
    ...{ containerId, ifname },
    ...(netns === undefined ? {} : { netns }),
    ...(netnsId === undefined ? {} : { netnsId }),
    ...(network === undefined ? {} : { network }),
  };
}
