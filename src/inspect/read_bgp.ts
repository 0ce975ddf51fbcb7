import { type ChannelCounts, parseChannels } from "../bird/parse_channels.ts";
import { type BirdRoute, parseRoutes } from "../bird/parse_routes.ts";
import type { CommandRunner } from "../exec/command_runner.ts";
import { parseAddress } from "../ip/address.ts";
import { askBird } from "./read_bird.ts";

/** What BIRD has to tell, and tells. */
export interface BgpRoutes {
  readonly channels: readonly ChannelCounts[];
  /** Prefixes of its configuration; canonical text, in BIRD's order. */
  readonly originated: readonly string[];
  /** Peer -> prefixes of those that it is told; of sessions that are up. */
  readonly exported: ReadonlyMap<string, readonly string[]>;
}

type Runner = Pick<CommandRunner, "run">;

/** @throws Silent when BIRD does not answer */
export async function readBgp(runner: Runner): Promise<BgpRoutes> {
  const [protocols, statics] = await Promise.all([
    askBird(runner, "show protocols all"),
    askBird(runner, "show route where source = RTS_STATIC"),
  ]);
  const channels = parseChannels(protocols);
  const told = channels.filter(({ established }) => established).map(async ({ peer, protocol }) =>
    [peer.text, prefixesOf(parseRoutes(await askBird(runner, `show route export ${protocol}`)))] as const
  );
  return { channels, originated: prefixesOf(parseRoutes(statics)), exported: new Map(await Promise.all(told)) };
}

/**
 * @param words the address
 * @returns BIRD's routes to it, none where it has none. @throws Silent when BIRD does not answer
 */
export async function readLed(runner: Runner, [word = ""]: readonly string[]): Promise<readonly BirdRoute[]> {
  const address = parseAddress(word);
  if (address === undefined) return [];
  return await askBird(runner, `show route for ${address.text}`).then(parseRoutes, (error: unknown) => {
    if (error instanceof Error && error.message.includes("Network not found")) return [];
    throw error;
  });
}

function prefixesOf(routes: readonly BirdRoute[]): string[] {
  return [...new Set(routes.map(({ prefix }) => prefix.text))];
}
