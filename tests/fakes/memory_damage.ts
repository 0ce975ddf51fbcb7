import type { Attachment } from "../../src/link/attachment_driver.ts";
import { diffSysctls } from "../../src/link/diff_attachment.ts";
import { planSysctls } from "../../src/link/plan_attachment.ts";
import { NEXT_HOP } from "../../src/next_hop/next_hop.ts";

/** What somebody may do to one pod's path behind the agent's back. */
export const ALTERATIONS = ["link", "route", "address", "neighbour", "sysctl", "pod end"] as const;
export type Alteration = typeof ALTERATIONS[number];

/** The alterations whose traces are more than a missing link or route. */
type Trace = Exclude<Alteration, "link" | "route">;

/** What others have altered of the paths of a kernel in memory. */
export class MemoryDamage {
  // host link -> what was altered, "sysctl" apart
  readonly #traces = new Map<string, Set<Trace>>();
  // sysctl below net/ -> its altered value
  readonly #settings = new Map<string, string>();
  readonly #wanted = new WeakMap<Attachment, ReadonlyMap<string, string>>();

  add(attachment: Attachment, trace: Trace): void {
    const { hostLink } = attachment;
    const traces = this.#traces.get(hostLink) ?? new Set();
    this.#traces.set(hostLink, traces.add(trace));
    const [name] = planSysctls(attachment)[0] ?? [];
    if (trace === "sysctl" && name !== undefined) this.#settings.set(name, "9");
  }

  /** @returns a sysctl of that attachment's host end */
  read(attachment: Attachment, name: string): string {
    const wanted = this.#wanted.get(attachment) ?? new Map(planSysctls(attachment));
    this.#wanted.set(attachment, wanted);
    return this.#settings.get(name) ?? wanted.get(name) ?? "1";
  }

  /** @returns what is wrong with the host's end, one phrase each */
  ofHost(attachment: Attachment): string[] {
    const { hostLink, addresses } = attachment;
    const traces = this.#traces.get(hostLink);
    if (traces === undefined) return [];
    const text = addresses[0]?.text;
    return [
      ...(traces.has("address") ? [`address ${NEXT_HOP[6]} on ${hostLink} is missing`] : []),
      ...(traces.has("neighbour") ? [`permanent neighbour ${text} on ${hostLink} is missing`] : []),
      ...(traces.has("sysctl") ? diffSysctls(attachment, (name) => this.read(attachment, name)) : []),
    ];
  }

  /** @returns what is wrong with the pod's end */
  ofPod({ hostLink, ifname, addresses }: Attachment): string[] {
    const isAltered = this.#traces.get(hostLink)?.has("pod end") === true;
    return isAltered ? [`address ${addresses[0]?.text} on ${ifname} is missing`] : [];
  }

  mendHost({ hostLink }: Attachment): void {
    const traces = this.#traces.get(hostLink);
    for (const trace of ["address", "neighbour", "sysctl"] as const) traces?.delete(trace);
    this.#forgetSettings(hostLink);
  }

  mendPod({ hostLink }: Attachment): void {
    this.#traces.get(hostLink)?.delete("pod end");
  }

  /** The link is gone, or another one. */
  forget(hostLink: string): void {
    this.#traces.delete(hostLink);
    this.#forgetSettings(hostLink);
  }

  #forgetSettings(hostLink: string): void {
    for (const name of this.#settings.keys()) if (name.includes(`/${hostLink}/`)) this.#settings.delete(name);
  }
}
