/** The kernel as `ip` and `nft` tell it, in the words of the closed list. Changes nothing. */
import { type Argv, type CommandRunner, expectSuccess } from "../exec/command_runner.ts";
import { readHostEnds, readPodRoutes } from "../link/kernel_ends.ts";
import { GUARD_FAMILIES, type GuardFamily } from "../nft/guard_model.ts";
import { isFields, listObjects } from "../nft/list_objects.ts";
import { parseGuard } from "../nft/read_guard.ts";
import { IP, NFT } from "../paths/paths.ts";
import { mapName } from "../policy/names.ts";
import { DIRECTIONS } from "../policy/network_policy.ts";
import { readRoutes } from "../route/read_routes.ts";
import { Silent, type SourceReaders } from "./sources.ts";

/** @param runner runs what is on the list only */
export function kernelReaders(
  runner: CommandRunner,
): Pick<SourceReaders, "ends" | "routes" | "anycast" | "tables" | "guard" | "isolation"> {
  const reader = { runner, ip: [IP] } as const;
  return {
    ends: () => readHostEnds(reader),
    routes: () => readPodRoutes(reader),
    anycast: () => readRoutes({ runner, ip: IP }),
    tables: () => readTables(runner),
    guard: async () => parseGuard(await Promise.all(GUARD_FAMILIES.map((family) => listGuard(runner, family)))),
    isolation: () => readIsolation(runner),
  };
}

/** One table that is missing keeps nobody from looking at the other. */
async function listGuard(runner: CommandRunner, family: GuardFamily): Promise<string> {
  return await listNft(runner, "table", family, "flock").catch((error: unknown) => {
    if (error instanceof Silent) return '{"nftables":[]}';
    throw error;
  });
}

async function readTables(runner: CommandRunner): Promise<ReadonlySet<string>> {
  const objects = listObjects(await listNft(runner, "tables"));
  const tables = objects.filter(([kind]) => kind === "table");
  return new Set(tables.map(([, { family, name }]) => `${family} ${name}`));
}

async function readIsolation(runner: CommandRunner): Promise<ReadonlySet<string>> {
  const found = await Promise.all(DIRECTIONS.map(async (direction) => {
    const objects = listObjects(await listNft(runner, "map", "inet", "flock-policy", mapName(direction)));
    const elements = objects.flatMap(([kind, { elem }]) => kind === "map" && Array.isArray(elem) ? elem : []);
    return elements.map((element: unknown) => `${direction} ${Array.isArray(element) ? nameOf(element[0]) : ""}`);
  }));
  return new Set(found.flat());
}

/** Of a key of a map, with or without what nft says beside it. */
function nameOf(key: unknown): string {
  return isFields(key) && isFields(key["elem"]) ? String(key["elem"]["val"]) : String(key);
}

/** @throws Silent when there is no such thing: that is a finding, and says that nft works */
async function listNft(runner: CommandRunner, ...words: string[]): Promise<string> {
  const argv: Argv = [NFT, "-j", "list", ...words];
  const result = await runner.run(argv);
  if (result.stderr.includes("No such file or directory")) throw new Silent(`nft has no ${words.join(" ")}`);
  return expectSuccess(argv, result).stdout;
}
