/** The floor: the same table in a node without flock, and one element more of one of its sets, by a one-shot `nft`. */
import { IP, NFT } from "../../src/paths/paths.ts";
import { NFT_PROGRAM, type NftAnswer, type NftRequest } from "./nft_worker.ts";
import type { Place } from "../lab/place.ts";
import { type BareLink, renderHostEnd, renderPodEnd } from "./bare_links.ts";
import type { PolicyLab } from "./policy_lab.ts";
import type { Pod, ProbeTarget } from "./policy_probe.ts";
import { startResident } from "./resident.ts";

const TABLE = "inet flock-policy";
const NETNS = "bare";

export interface HandTable {
  /** Adds the address to a set that the probed pod's policies ask. @returns milliseconds until the first datagram of it went through */
  measureElement(address: string): Promise<number>;
  /** Replaces the table by the same text. @returns how long `nft` took, in milliseconds */
  replace(): Promise<number>;
}

/** @returns the whole table of the node that runs flock, as a script that replaces it */
export async function readTable({ node }: Pick<PolicyLab, "node">): Promise<string> {
  const text = await node.output([NFT, "list", "table", ...TABLE.split(" ")], { timeoutMs: 60_000 });
  return `table ${TABLE} {}\ndelete table ${TABLE}\n${text}`;
}

/** Makes a pod by hand whose link is named like that of the probed one, so that the same text is about it. */
export async function makePod({ byHand }: Pick<PolicyLab, "byHand">, hostLink: string): Promise<Pod> {
  const addresses = { ipv6: "2001:db8:be::1", ipv4: "198.19.255.1" };
  await linkByHand(byHand, { hostLink, netns: NETNS, mtu: 9000, ...addresses });
  return { node: byHand, hostLink, address: addresses.ipv6 };
}

/** Makes a network namespace with a link as flock makes them, and has the node forward. */
export async function linkByHand(node: Place, link: BareLink): Promise<void> {
  const forwarding = ["ipv6/conf/all/forwarding", "ipv4/ip_forward"].map((name) => `echo 1 >/proc/sys/net/${name}`);
  await node.output(["sh", "-c", forwarding.join(";")]);
  await node.output([IP, "netns", "add", link.netns]);
  await node.output([IP, "-batch", "-"], { stdin: renderHostEnd(link) });
  await node.output([IP, "-n", link.netns, "-batch", "-"], { stdin: renderPodEnd(link) });
}

/** Loads the text into the node without flock. @param target the pod by hand */
export async function loadByHand(
  { lab, byHand }: Pick<PolicyLab, "lab" | "byHand">,
  { text, hostLink, target }: { readonly text: string; readonly hostLink: string; readonly target: ProbeTarget },
): Promise<HandTable> {
  const ask = await startResident<NftRequest, NftAnswer>(byHand, { program: NFT_PROGRAM, dir: lab.dir });
  const run = async (script: string): Promise<NftAnswer> => {
    const answer = await ask({ script });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  };
  await run(text);
  const set = findSet(text, hostLink);
  return {
    measureElement: (address) =>
      target.measure({ from: address, passes: true }, async () => {
        // `add element` makes nft read every interval set of the machine first; this does the same without.
        return (await run(`add set ${TABLE} ${set} { type ipv6_addr; elements = { ${address} }; }`)).at;
      }),
    replace: async () => (await run(text)).ms,
  };
}

/** @returns the name of a set of IPv6 addresses that the pod's first policy lets in */
function findSet(text: string, hostLink: string): string {
  const chain = new RegExp(`chain to_${hostLink} \\{[^}]*?jump (\\w+)`).exec(text)?.[1];
  const set = new RegExp(`chain ${chain} \\{[^}]*?@(peers6_\\w+)`).exec(text)?.[1];
  if (chain === undefined || set === undefined) {
    throw new Error(`Cannot add an element: no set is asked for ${hostLink}`);
  }
  return set;
}
