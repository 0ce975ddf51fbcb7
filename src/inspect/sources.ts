/** What `flock inspect` can look at. Each may be missing: the agent dead, BIRD dead, a tool not there. */
import type { FoundRoutes } from "../route/read_routes.ts";
import type { FoundTables } from "../nft/read_guard.ts";
import type { KernelEnd } from "../link/diff_attachment.ts";
import type { KernelRoute } from "../link/read_kernel.ts";
import type { SessionState } from "../bird/bird_driver.ts";
import type { AgentSnapshot } from "../snapshot/agent_snapshot.ts";
import type { BgpRoutes } from "./read_bgp.ts";
import type { NodeFiles } from "./read_files.ts";
import type { ListedPolicies } from "./read_policies.ts";
import type { BirdRoute } from "../bird/parse_routes.ts";

/** What each source is seen as. */
export interface Sources {
  /** The agent's own word, over its socket. */
  readonly agent: AgentSnapshot;
  /** What an agent has left in `/var/lib/flock`, where none answers; else nothing, for reading it costs more than asking. */
  readonly files: NodeFiles;
  /** The same, whether an agent answers or not: it knows which addresses rest. */
  readonly recorded: NodeFiles;
  /** Host ends of flock's name: link -> end, with the routes of flock's protocol over it. */
  readonly ends: ReadonlyMap<string, KernelEnd>;
  /** Routes of flock's protocol to pods' own addresses, and the blackholes. */
  readonly routes: readonly KernelRoute[];
  /** Routes of flock's protocol to anycast addresses, and what they lead to. */
  readonly anycast: FoundRoutes;
  /** nft's tables, each `FAMILY NAME`. */
  readonly tables: ReadonlySet<string>;
  /** The packet guard's tables. */
  readonly guard: FoundTables;
  /** Links whose packets go through chains of policies, by direction: `ingress flock1a2b3c4d`. */
  readonly isolation: ReadonlySet<string>;
  /** The whole table of the policies, and what its hashes stand for. */
  readonly policies: ListedPolicies;
  /** The node's own addresses, of all its links. Canonical text. */
  readonly nodeAddresses: ReadonlySet<string>;
  /** What BIRD originates, and tells its peers. */
  readonly bgp: BgpRoutes;
  /** BIRD's routes to the address that is asked about. */
  readonly led: readonly BirdRoute[];
  /** BIRD's sessions, as `birdc` tells them. */
  readonly sessions: readonly SessionState[];
}

export type SourceName = keyof Sources;

/**
 * What became of a look at one source. `silent`: nobody is there to answer, which is a finding; `failed`: nobody could
 * look, which says nothing of the node.
 */
export type Look<T> = { readonly seen: T } | { readonly silent: string } | { readonly failed: string };

/** Thrown by a reader who found nobody there to answer. */
export class Silent extends Error {
  override readonly name = "Silent";
}

/** What was looked at; a source that nobody asked for is absent. */
export type Gathered = { readonly [Name in SourceName]?: Look<Sources[Name]> };

/** How each source is read. Each rejects where it cannot be. */
export type SourceReaders = { readonly [Name in SourceName]: () => Promise<Sources[Name]> };

/**
 * Looks at what is asked for, all at once. Never throws.
 *
 * @param needs each name once
 */
export async function gather(needs: readonly SourceName[], readers: SourceReaders): Promise<Gathered> {
  const looks = await Promise.all(needs.map(async (name) => [name, await lookAt(name, readers)] as const));
  return Object.fromEntries(looks);
}

async function lookAt(name: SourceName, readers: SourceReaders): Promise<Look<Sources[SourceName]>> {
  try {
    return { seen: await readers[name]() };
  } catch (error) {
    if (error instanceof Silent) return { silent: error.message };
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}

/** @returns what was seen; undefined where nobody looked, or nothing could be seen */
export function seen<T>(look: Look<T> | undefined): T | undefined {
  return look !== undefined && "seen" in look ? look.seen : undefined;
}

/** @returns why there is no answer; undefined where there is one, or nobody could look */
export function silenceOf(look: Look<unknown> | undefined): string | undefined {
  return look !== undefined && "silent" in look ? look.silent : undefined;
}

/** @returns why nobody could look; undefined where somebody could, or nobody was asked to */
export function failureOf(look: Look<unknown> | undefined): string | undefined {
  return look !== undefined && "failed" in look ? look.failed : undefined;
}
