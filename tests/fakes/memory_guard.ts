/** flock's nft tables in memory. Held to the real guard's contract. */
import type { GuardState, PacketGuard, SourceGrant } from "../../src/nft/packet_guard.ts";

const name = ({ link, address }: SourceGrant): string => `${link} ${address.text}`;

/** What the kernel holds of flock's tables; it outlives the process that wrote them. */
export interface MemoryTables {
  /** `link address`; undefined while there is no table. */
  grants: Set<string> | undefined;
}

/** A PacketGuard without nft: one process's. */
export class MemoryGuard implements PacketGuard {
  /** Whether the tables are what this process wrote. */
  #own = false;
  /** Of the last replacement. */
  podPrefixes: GuardState["podPrefixes"] = [];

  constructor(private readonly tables: MemoryTables = { grants: undefined }) {}

  get grants(): Set<string> | undefined {
    return this.tables.grants;
  }

  set grants(grants: Set<string> | undefined) {
    this.tables.grants = grants;
  }

  replace(state: GuardState): Promise<void> {
    this.tables.grants = new Set(state.grants.map(name));
    this.podPrefixes = state.podPrefixes;
    this.#own = true;
    return Promise.resolve();
  }

  grant(grants: readonly SourceGrant[]): Promise<void> {
    if (this.grants === undefined) return Promise.reject(new Error("Cannot change the tables flock: one is missing"));
    for (const grant of grants) this.grants.add(name(grant));
    return Promise.resolve();
  }

  revoke(grants: readonly SourceGrant[]): Promise<void> {
    for (const grant of grants) this.grants?.delete(name(grant));
    return Promise.resolve();
  }

  drift(state: GuardState): Promise<readonly string[] | undefined> {
    const { grants } = this;
    if (grants === undefined) return Promise.resolve(undefined);
    if (!this.#own) return Promise.resolve(["the tables flock are not what this process wrote"]);
    const wanted = new Set(state.grants.map(name));
    return Promise.resolve([
      ...[...wanted].filter((grant) => !grants.has(grant)).map((grant) => `set own lacks ${grant}`),
      ...[...grants].filter((grant) => !wanted.has(grant)).map((grant) => `set own holds ${grant}, not ours`),
    ]);
  }

  check(grants: readonly SourceGrant[]): Promise<readonly string[]> {
    const have = this.grants;
    if (have === undefined) return Promise.resolve(["table inet flock or table arp flock is missing"]);
    return Promise.resolve(grants.map(name).filter((each) => !have.has(each)).map((each) => `set own lacks ${each}`));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
