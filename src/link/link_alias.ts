/** What the alias of a host end says; it outlives the agent and its state file. */
export interface LinkOwner {
  readonly containerId: string;
  readonly ifname: string;
  /** Absent where the three would not fit. */
  readonly netns?: string;
}

/** The kernel's limit, IFALIASZ less the terminating zero. */
const MAX_ALIAS_BYTES = 255;

/** @returns `CONTAINER IFNAME NETNS`; none of the words has a space */
export function renderAlias({ containerId, ifname, netns }: LinkOwner): string {
  const short = `${containerId} ${ifname}`;
  const full = netns === undefined ? short : `${short} ${netns}`;
  return full.length <= MAX_ALIAS_BYTES ? full : short;
}

/** @returns undefined when the alias is not one of ours */
export function parseAlias(alias: string): LinkOwner | undefined {
  const match = /^([a-zA-Z0-9][\w.-]{0,127}) ([a-zA-Z0-9][\w.-]{0,14})(?: (\/\S+))?$/.exec(alias);
  const [, containerId, ifname, netns] = match ?? [];
  if (containerId === undefined || ifname === undefined) return undefined;
  return netns === undefined ? { containerId, ifname } : { containerId, ifname, netns };
}
