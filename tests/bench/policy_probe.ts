/** Datagrams at a kilohertz, from the router's side to a pod: when does the node begin to let them through, or to drop them? */
import { IP } from "../../src/paths/paths.ts";
import { type Capture, startCapture } from "../lab/capture.ts";
import {
  parseStreamFrame,
  type Stream,
  STREAM_PROGRAM,
  type StreamAnswer,
  type StreamRequest,
} from "../lab/frame_stream.ts";
import { records } from "../lab/json.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabNode } from "../lab/node.ts";
import { until } from "../lab/until.ts";
import { PROBE_PORT } from "./policy_world.ts";
import { type Ask, startResident } from "./resident.ts";

const PER_SECOND = 1_000;
/** More than a datagram of the probe has. */
const FRAME_BYTES = 128;
/** So many in a row have the verdict that is believed. */
const STEADY = 5;
/** Two looks agree: a capture that does not get to run looks as if nothing had come through. */
const TWICE_MS = 15;
/** What was sent has been seen by then. */
const SILENCE_MS = 200;
const EVENT_TIMEOUT_MS = 10_000;

/** Where the datagrams go. */
export interface ProbeTarget {
  /** @returns the milliseconds from the event, whose moment it returns in milliseconds since the epoch, until the first datagram of another fate came by */
  measure(flip: Flip, event: () => Promise<number>): Promise<number>;
  /** Sends for as long as the task takes. @returns what became of them */
  count(from: string, task: () => Promise<unknown>): Promise<Passed>;
}

export interface Passed {
  readonly through: number;
  /** Came to the node, and no further. */
  readonly lost: number;
}

export interface Flip {
  readonly from: string;
  /** Whether datagrams go through from then on; before it is the other way. */
  readonly passes: boolean;
}

/** A pod, as it is reached from the router. */
export interface Pod {
  readonly node: LabNode;
  /** The node's end of its link. */
  readonly hostLink: string;
  readonly address: string;
}

/** Starts to send in the router. @returns the way to aim at a pod */
export async function startProbe(lab: Lab): Promise<(pod: Pod) => Promise<ProbeTarget>> {
  const ask = await startResident<StreamRequest, StreamAnswer>(lab.router, { program: STREAM_PROGRAM, dir: lab.dir });
  return async ({ node, hostLink, address }) => {
    const [uplink] = records(JSON.parse(await node.output([IP, "-j", "link", "show", "dev", "up0"])));
    const mac = String(uplink?.["address"]);
    const options = { directory: lab.dir, filter: `udp port ${PROBE_PORT}`, bytes: FRAME_BYTES };
    return new Target({
      ask,
      stream: { link: `p-${node.name}`, mac, to: address, port: PROBE_PORT, perSecond: PER_SECOND },
      before: await startCapture(node, { ...options, link: "up0" }),
      behind: await startCapture(node, { ...options, link: hostLink }),
    });
  };
}

interface TargetParts {
  readonly ask: Ask<StreamRequest, StreamAnswer>;
  readonly stream: Omit<Stream, "tag" | "from">;
  readonly before: Capture;
  readonly behind: Capture;
}

let tags = 0;

class Target implements ProbeTarget {
  /** tag -> what became of the stream */
  readonly #fates = new Map<number, Fate>();

  constructor(private readonly parts: TargetParts) {}

  measure({ from, passes }: Flip, event: () => Promise<number>): Promise<number> {
    return this.#whileSending(from, async (fate) => {
      await until(`datagrams ${passes ? "are dropped" : "go through"} before the event`, async () => {
        await this.#look();
        return fate.isSteady(!passes);
      }, { everyMs: 2 });
      const at = await event();
      let last: number | undefined;
      return await until(`datagrams ${passes ? "go through" : "are dropped"} after the event`, async () => {
        await this.#look();
        const first = fate.first({ passes, after: at });
        if (first !== undefined && first === last) return first - at;
        last = first;
        return undefined;
      }, { everyMs: TWICE_MS, timeoutMs: EVENT_TIMEOUT_MS });
    });
  }

  async count(from: string, task: () => Promise<unknown>): Promise<Passed> {
    return await this.#whileSending(from, async (fate) => {
      await task();
      await fate.stop();
      let last = -1;
      return await until("no more datagrams come", async () => {
        await this.#look();
        if (fate.sent === last) return { through: fate.through, lost: fate.lost };
        last = fate.sent;
        return undefined;
      }, { everyMs: SILENCE_MS });
    });
  }

  async #whileSending<T>(from: string, task: (fate: Fate) => Promise<T>): Promise<T> {
    const { ask, stream } = this.parts;
    const tag = ++tags;
    const fate = new Fate(async () => (await ask({ stop: tag })).sent);
    this.#fates.set(tag, fate);
    await ask({ start: { ...stream, tag, from } });
    try {
      return await task(fate);
    } finally {
      await fate.stop();
    }
  }

  /** What is read before the node is older than what is read behind it. */
  async #look(): Promise<void> {
    const { before, behind } = this.parts;
    const [came, passed] = [await before.fresh(), await behind.fresh()];
    for (const { at, bytes } of came) {
      const datagram = parseStreamFrame(bytes);
      if (datagram !== undefined) this.#fates.get(datagram.tag)?.came(datagram.number, at);
    }
    for (const { bytes } of passed) {
      const datagram = parseStreamFrame(bytes);
      if (datagram !== undefined) this.#fates.get(datagram.tag)?.passed(datagram.number);
    }
  }
}

/** What became of the datagrams of one stream. */
class Fate {
  /** number -> when it came to the node */
  readonly #came = new Map<number, number>();
  readonly #passed = new Set<number>();
  #sent: Promise<number> | undefined;

  constructor(private readonly end: () => Promise<number>) {}

  /** Ends the stream. @returns how many were sent. Idempotent */
  stop(): Promise<number> {
    return this.#sent ??= this.end();
  }

  came(number: number, at: number): void {
    this.#came.set(number, at);
  }

  passed(number: number): void {
    this.#passed.add(number);
  }

  get sent(): number {
    return this.#came.size;
  }

  get through(): number {
    return this.#passed.size;
  }

  get lost(): number {
    return this.#came.keys().filter((number) => !this.#passed.has(number)).reduce((sum) => sum + 1, 0);
  }

  /** Whether the last few went one way. */
  isSteady(passes: boolean): boolean {
    return this.#goOneWay({ from: this.sent - 2 * STEADY, passes });
  }

  /** @returns when the first of those came that have gone that way since; undefined: not so yet */
  first({ passes, after }: { readonly passes: boolean; readonly after: number }): number | undefined {
    for (const [number, at] of this.#came) {
      if (at > after && this.#goOneWay({ from: number, passes })) return at;
    }
    return undefined;
  }

  /** The last few are left out: they may still be on their way. */
  #goOneWay({ from, passes }: { readonly from: number; readonly passes: boolean }): boolean {
    if (from < 0 || from + 2 * STEADY > this.sent) return false;
    return Array.from({ length: STEADY }, (_, n) => this.#passed.has(from + n)).every((passed) => passed === passes);
  }
}
