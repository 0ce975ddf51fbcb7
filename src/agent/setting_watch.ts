import type { Clock } from "../clock/clock.ts";
import type { HostNetwork, HostState } from "../host/host_driver.ts";
import { planSettings, type ReadSetting } from "../host/plan_settings.ts";
import { diffSysctls } from "../link/diff_attachment.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { attachmentOf } from "./attachment_state.ts";

const LOOK_MS = 1000;
/** So many links are looked at in one go; each costs some 80 us. */
const SLICE = 25;

export interface SettingWatchDependencies {
  readonly ledger: Pick<AllocationLedger, "all">;
  readonly node: {
    /** What the node as a whole should be, and its network; undefined until that is known. */
    readonly hostState: HostState | undefined;
    readonly network: HostNetwork | undefined;
  };
  readonly read: ReadSetting;
  readonly clock: Clock;
}

/** Looks at the sysctls every second: the kernel tells nobody when they change. Starts no process, and changes nothing. */
export class SettingWatch {
  constructor(private readonly deps: SettingWatchDependencies) {}

  /**
   * Runs until the signal is aborted; never rejects.
   *
   * @param options `changed` is called when something differs, and resolves when that was looked after. What differs right after is
   *   what nobody may be able to mend: for that it is called at ever longer intervals. What was mended and differs again is not
   */
  async run({ changed, signal }: { changed: () => Promise<void>; signal: AbortSignal }): Promise<void> {
    let unmendable = new Set<string>();
    let looks = 0;
    while (await this.#sleep(signal)) {
      const now = await this.#look();
      looks = now.isSubsetOf(unmendable) ? looks + 1 : 1;
      if (now.size === 0) unmendable = now;
      else if (isPowerOfTwo(looks)) {
        await changed();
        unmendable = await this.#look();
      }
    }
  }

  /** A link that goes while it is read fails the reading with whatever error; the next one is a second away. */
  async #look(): Promise<Set<string>> {
    return new Set(await this.differences().catch(() => []));
  }

  /** @returns what is not as it should be, one phrase each; also links that are gone, whose sysctls are gone with them */
  async differences(): Promise<readonly string[]> {
    const { ledger, clock } = this.deps;
    const found = this.#ofNode();
    const committed = ledger.all().filter(({ state }) => state === "committed");
    for (let at = 0; at < committed.length; at += SLICE) {
      if (at > 0) await clock.sleep(0);
      // In the same turn as the look at the ledger: what a DEL takes away meanwhile is not missing.
      const current = new Set(ledger.all());
      found.push(
        ...committed.slice(at, at + SLICE).filter((each) => current.has(each)).flatMap((each) => this.#of(each)),
      );
    }
    return found;
  }

  #ofNode(): string[] {
    const { read, node: { hostState, network } } = this.deps;
    if (hostState === undefined || network === undefined) return [];
    return planSettings(hostState, { network, read }).map(([name]) => name);
  }

  #of(allocation: Parameters<typeof attachmentOf>[0]): readonly string[] {
    const { hostLink } = allocation;
    if (this.deps.read(`ipv4/conf/${hostLink}/forwarding`) === undefined) return [`host link ${hostLink} is missing`];
    return diffSysctls(attachmentOf(allocation), this.deps.read);
  }

  /** @returns false once the signal is aborted */
  async #sleep(signal: AbortSignal): Promise<boolean> {
    return await this.deps.clock.sleep(LOOK_MS, signal).then(() => true, () => false);
  }
}

function isPowerOfTwo(n: number): boolean {
  return Number.isInteger(Math.log2(n));
}
