/** What one sees from somewhere in the lab: pings, connections, packets on a wire. */
import type { CommandResult } from "../../src/exec/command_runner.ts";
import type { ExecOptions, Place } from "./place.ts";
import { GaveUp, until } from "./until.ts";

/** Where a tool can be run: a place or a pod. */
export interface Vantage {
  exec(argv: readonly string[], options?: ExecOptions): Promise<CommandResult>;
}

export interface PingOptions {
  /** Bytes of the whole IP packet, which then must not be fragmented. */
  readonly packetSize?: number;
  /** From this address of the vantage, its own or not: one that it does not have needs `-I` and a local address. */
  readonly source?: string;
  /** How long to wait for the answer. Default 1000. */
  readonly timeoutMs?: number;
}

/** @returns milliseconds until the answer to one echo request; undefined when none came */
export async function ping(from: Vantage, address: string, options: PingOptions = {}): Promise<number | undefined> {
  const { packetSize, source, timeoutMs = 1000 } = options;
  const headers = address.includes(":") ? 48 : 28; // IP and ICMP
  const argv = [
    ...["ping", "-n", "-c", "1", "-W", `${timeoutMs / 1000}`],
    ...(packetSize === undefined ? [] : ["-M", "do", "-s", `${packetSize - headers}`]),
    ...(source === undefined ? [] : ["-I", source]),
    address,
  ];
  const { stdout } = await from.exec(argv, { timeoutMs: timeoutMs + 5000 });
  const time = /time=([\d.]+) ms/.exec(stdout)?.[1];
  return time === undefined ? undefined : Number(time);
}

/** Pings until an answer comes. @returns milliseconds of the answered ping. @throws after `timeoutMs` (default 10 000) */
export async function pingUntilAnswered(
  from: Vantage,
  address: string,
  { timeoutMs = 10_000 }: { timeoutMs?: number } = {},
): Promise<number> {
  return await until(`${address} answers`, () => ping(from, address, { timeoutMs: 500 }), { timeoutMs });
}

const ECHO_PORT = 7;

/** Starts a TCP server that returns what it is sent (RFC 862), on all addresses of the place, for as long as the place lives. */
export async function startEcho(place: Place): Promise<void> {
  await place.spawn("echo", ["busybox", "nc", "-ll", "-p", `${ECHO_PORT}`, "-e", "/bin/cat"]);
  await until("the echo server listens", async () => (await echo(place, "127.0.0.1", "x")) === "x");
}

/** @returns what an echo server returned for the text; empty when there is no connection */
export async function echo(from: Vantage, address: string, text: string): Promise<string> {
  return (await from.exec(["busybox", "nc", "-w", "2", address, `${ECHO_PORT}`], { stdin: text })).stdout;
}

export interface Capture extends AsyncDisposable {
  /** Waits for so many packets. @returns one line for each, as tcpdump writes them without a time. @throws after `timeoutMs` (default 5000) */
  packets(count: number, options?: { timeoutMs?: number }): Promise<readonly string[]>;
}

/** Starts tcpdump in the place. Resolves when it listens. @param filter in pcap's language; @param link default: all */
export async function capture(
  place: Place,
  filter: string,
  { link = "any" }: { link?: string } = {},
): Promise<Capture> {
  const argv = ["tcpdump", "-n", "-t", "-l", "--immediate-mode", "-i", link, filter];
  const daemon = await place.spawn(`tcpdump-${crypto.randomUUID().slice(0, 8)}`, argv);
  const log = async (): Promise<string[]> => (await daemon.readLog().catch(() => "")).split("\n");
  await until("tcpdump listens", async () => {
    if (!daemon.running) throw new GaveUp(`Cannot capture ${filter}: ${(await log()).join(" ")}`);
    return (await log()).some((line) => line.startsWith("listening on"));
  });
  return {
    packets: (count, { timeoutMs = 5000 } = {}) =>
      until(`tcpdump saw ${count} packets of ${filter}`, async () => {
        const packets = (await log()).slice(0, -1).filter((line) => /\bIP6? /.test(line));
        return packets.length >= count && packets;
      }, { timeoutMs }),
    [Symbol.asyncDispose]: async () => void await daemon.stop("SIGTERM", 1000),
  };
}

/** @returns the source address of a line of tcpdump, without a port */
export function sourceOf(packet: string): string {
  const [, family = "", source = ""] = /\b(IP6?) (\S+) > /.exec(packet) ?? [];
  const withPort = family === "IP" ? /^(\d+\.\d+\.\d+\.\d+)\.\d+$/ : /^([0-9a-f:]+)\.\d+$/;
  return withPort.exec(source)?.[1] ?? source;
}
