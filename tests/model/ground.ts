import type { NodeDependencies } from "../../src/agent/assemble_node.ts";
import type { Attachment, AttachmentDriver } from "../../src/link/attachment_driver.ts";
import type { PacketGuard } from "../../src/nft/packet_guard.ts";
import type { Alteration } from "../fakes/memory_damage.ts";
import type { Gates } from "./gates.ts";

/** What stands under the agents: a kernel, in memory or the machine's. */
export interface Ground {
  /** Makes the drivers of an agent that starts; whatever they do waits at its gates. */
  open(gates: Gates): GroundDrivers;
  addNamespace(path: string): Promise<void>;
  /** The namespace goes, whether or not its path has gone before, and every link into it. */
  removeNamespace(path: string): Promise<void>;
  /** The path goes, and the namespace stays, with its links. */
  unname(path: string): Promise<void>;
  /** Somebody alters a pod's path. @returns what it was done to; undefined when there is no such link */
  alterPath(hostLink: string, what: Alteration): Promise<Attachment | undefined>;
  /** Somebody alters the packet guard's tables. @returns false when there was nothing to alter */
  alterGuard(hostLink: string, what: GuardDrift): Promise<boolean>;
  /** @returns a sysctl below net/ of a pod's host end; undefined when that is not there */
  readSetting(name: string): string | undefined;
  readonly netnsAt: NodeDependencies["netnsAt"];
  readonly netnsGone: NodeDependencies["netnsGone"];
  /** All is gone, as after a reboot. */
  reboot(): Promise<void>;
}

export type NodeDrift = "blackhole" | "forwarding";
export type GuardDrift = "grant" | "foreign grant" | "tables";

export interface GroundDrivers {
  readonly driver: AttachmentDriver;
  readonly guard: PacketGuard;
  /** Ends what the agent's death would end. */
  close(): Promise<void>;
}
