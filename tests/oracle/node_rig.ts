/**
 * A node with pods that do nothing: the far ends of their links are open, so that packets are put in and taken out
 * there by hand. For a network namespace of its own, which is this process's.
 */
import { type Arrival, PacketTap } from "../lab/packet_tap.ts";
import { FrameSender, type Packet } from "../lab/raw_frames.ts";
import { ipBytes } from "../lab/ip_packet.ts";
import { until } from "../lab/until.ts";
import { expectSuccess } from "../../src/exec/command_runner.ts";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { IP, NFT } from "../../src/paths/paths.ts";
import { NODE, UPLINK } from "./packet.ts";
import type { LocalPod } from "./raw_objects.ts";
import { NODES } from "./universe.ts";

const PODS = 8;
const linkOf = (index: number): string => `flock0000000${index}`;
/** Of all that is not the node: frames to it are no business of a far end's own kernel. */
const ANY_MAC = "02:00:00:00:00:99";
const NODE_MAC = "02:00:00:00:00:01";
const GATEWAYS = { 4: "192.0.2.1", 6: "2001:db8:ffff::1" } as const;
const TABLE = "inet flock-policy";

/** A packet, from its IP header on, and the link by which it comes, or UPLINK or NODE. */
export interface Sending {
  readonly cameBy: string;
  readonly packet: Packet;
  /** In place of the packet as it is: its fragments, for one. Each is sent, and each counts. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

const runner = createSystemRunner();

async function run(program: string, args: readonly string[], stdin = ""): Promise<string> {
  const argv = [program, ...args] as const;
  return expectSuccess(argv, await runner.run(argv, { stdin, timeoutMs: 20_000 })).stdout;
}

/** @returns what nft prints. @throws when it refuses */
export function nft(text: string): Promise<string> {
  return run(NFT, ["-f", "-"], text);
}

/** Runs one command of ip. @throws when it refuses */
export function ip(command: string): Promise<string> {
  return run(IP, command.split(" "));
}

/** Made once, it plays many clusters. */
export class NodeRig implements Disposable {
  readonly #far: ReadonlyMap<string, FrameSender>;
  // link -> its far end
  readonly #tap: PacketTap;

  private constructor() {
    const links = [UPLINK, ...Array.from({ length: PODS }, (_, i) => linkOf(i + 1))];
    this.#far = new Map(links.map((link) => [link, new FrameSender(`far-${link.slice(-6)}`)]));
    this.#tap = new PacketTap([...links.map((link) => `far-${link.slice(-6)}`)]);
  }

  static async make(): Promise<NodeRig> {
    const links = [UPLINK, ...Array.from({ length: PODS }, (_, i) => linkOf(i + 1))];
    await run("/bin/sh", ["-c", SETTINGS]);
    await run(
      IP,
      ["-batch", "-"],
      [
        ...links.flatMap((link) => [
          `link add ${link} address ${NODE_MAC} type veth peer name far-${link.slice(-6)}`,
          `link set far-${link.slice(-6)} addrgenmode none up`,
          `link set ${link} addrgenmode none up`,
        ]),
        ...NODES[0].map((address) => `address add ${address} dev lo`),
        ...Object.values(GATEWAYS).flatMap((gateway) => [
          `neigh replace ${gateway} lladdr ${ANY_MAC} dev ${UPLINK} nud permanent`,
          `route add default via ${gateway} dev ${UPLINK} onlink`,
        ]),
      ].join("\n"),
    );
    return new NodeRig();
  }

  /** Leads to each of the pods by its link; of several that have one address, to the first. */
  async place(pods: readonly LocalPod[]): Promise<void> {
    const routes = ["-4", "-6"].map((family) => run(IP, [family, "route", "flush", "proto", "77"]));
    await Promise.all(routes);
    const led = new Map(pods.toReversed().flatMap(({ link, addresses }) => addresses.map((each) => [each, link])));
    const lines = [...led].flatMap(([address, link]) => [
      `neigh replace ${address} lladdr ${ANY_MAC} dev ${link} nud permanent`,
      `route replace ${address} dev ${link} proto 77`,
    ]);
    await run(IP, ["-batch", "-"], lines.join("\n"));
  }

  send({ cameBy, packet, bytes = ipBytes(packet) }: Sending): void {
    if (cameBy === NODE) return this.#tap.sendFromNode(bytes, packet.to);
    const sender = this.#far.get(cameBy);
    if (sender === undefined) throw new Error(`Cannot send by ${cameBy}: no such link`);
    const type = packet.from.family === 4 ? [0x08, 0x00] : [0x86, 0xdd];
    const macs = [NODE_MAC, ANY_MAC].flatMap((mac) => mac.split(":").map((byte) => parseInt(byte, 16)));
    sender.sendFrame(new Uint8Array([...macs, ...type, ...bytes]));
  }

  /** @returns what came out since it was last taken, by the link of whose pod, or UPLINK */
  take(): Arrival[] {
    const names = new Map([...this.#far.keys()].map((link) => [`far-${link.slice(-6)}`, link]));
    return this.#tap.take().map(({ link, bytes }) => ({ link: names.get(link) ?? link, bytes }));
  }

  /**
   * Sends all, and waits until each has come out or was counted as dropped: neither silence nor time proves anything.
   *
   * @param drops counted before
   * @returns what came out
   */
  async exchange(sendings: readonly Sending[]): Promise<Arrival[]> {
    const before = await countDrops();
    this.take();
    const arrivals: Arrival[] = [];
    for (const sending of sendings) {
      this.send(sending);
      arrivals.push(...this.take());
    }
    await until(`all of ${sendings.length} packets have come out or are dropped`, async () => {
      arrivals.push(...this.take());
      if (arrivals.length >= sendings.length) return true;
      const dropped = await countDrops() - before;
      arrivals.push(...this.take());
      return arrivals.length + dropped >= sendings.length;
    }, { everyMs: 2 });
    return arrivals;
  }

  [Symbol.dispose](): void {
    for (const sender of this.#far.values()) sender[Symbol.dispose]();
    this.#tap[Symbol.dispose]();
  }
}

/** By all pods of the table, in both directions. */
export async function countDrops(): Promise<number> {
  const text = await run(NFT, ["list", "counters", "table", ...TABLE.split(" ")]);
  return [...text.matchAll(/packets (\d+)/g)].reduce((sum, [, packets]) => sum + Number(packets), 0);
}

/**
 * Forwarding on; neither reverse paths nor redirects. New links take what default says. Of a protocol without ports a
 * flow is forgotten at once: the next packet between the same ends would be taken for its reply.
 */
const SETTINGS = `
for each in all default; do
  echo 1 >/proc/sys/net/ipv4/conf/$each/forwarding; echo 1 >/proc/sys/net/ipv6/conf/$each/forwarding
  echo 0 >/proc/sys/net/ipv4/conf/$each/rp_filter; echo 0 >/proc/sys/net/ipv4/conf/$each/send_redirects
done
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
echo 0 >/proc/sys/net/netfilter/nf_conntrack_generic_timeout`;
