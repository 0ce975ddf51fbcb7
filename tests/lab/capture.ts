/** Frames on a link, with the kernel's own time of each, as they come. */
import { type Frame, parseFrames, parsePcap, PCAP_HEADER } from "./pcap.ts";
import type { Place } from "./place.ts";
import { exists, GaveUp, until } from "./until.ts";

export interface Capture extends AsyncDisposable {
  /** @returns all frames so far, in the order of their time */
  read(): Promise<readonly Frame[]>;
  /** @returns the frames since the last call */
  fresh(): Promise<readonly Frame[]>;
}

export interface CaptureOptions {
  readonly link: string;
  /** Of the lab, where the capture is kept. */
  readonly directory: string;
  /** As tcpdump takes it (pcap-filter(7)). */
  readonly filter: string;
  /** So many bytes of each frame are kept; the fewer, the more frames the kernel holds for a tcpdump that does not get to run. Default: all. */
  readonly bytes?: number;
}

/** KiB in the kernel: nothing is lost while tcpdump does not get to run. */
const BUFFER = "8192";

/** Starts to listen on a link of the place. Resolves when it hears. */
export async function startCapture(
  place: Place,
  { link, directory, filter, bytes = 0 }: CaptureOptions,
): Promise<Capture> {
  const name = `capture-${crypto.randomUUID().slice(0, 8)}`;
  const path = `${directory}/${name}.pcap`;
  const format = [
    "--time-stamp-precision=nano",
    "--immediate-mode",
    "-B",
    BUFFER,
    "-s",
    `${bytes}`,
    "-Z",
    "root",
    "-U",
    "-w",
    path,
  ];
  const daemon = await place.spawn(name, ["tcpdump", "-n", "-i", link, ...format, filter]);
  await until("tcpdump listens", async () => {
    if (!daemon.running) throw new GaveUp(`Cannot listen on ${link}: ${await daemon.readLog()}`);
    return await exists(path) && (await daemon.readLog()).includes("listening on");
  });
  const tail = new Tail(path);
  return {
    read: async () => parsePcap(await Deno.readFile(path)),
    fresh: () => tail.read(),
    [Symbol.asyncDispose]: async () => void await daemon.stop("SIGTERM", 1000),
  };
}

/** Reads what was appended to a capture, whole frames at a time. */
class Tail {
  #at = PCAP_HEADER;

  constructor(private readonly path: string) {}

  async read(): Promise<readonly Frame[]> {
    using file = await Deno.open(this.path);
    const { size } = await file.stat();
    if (size <= this.#at) return [];
    await file.seek(this.#at, Deno.SeekMode.Start);
    const bytes = new Uint8Array(size - this.#at);
    const count = await file.read(bytes) ?? 0;
    const { frames, length } = parseFrames(bytes.subarray(0, count));
    this.#at += length;
    return frames;
  }
}
