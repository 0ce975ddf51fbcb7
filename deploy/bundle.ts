import { runDeno } from "./run_deno.ts";

/** The bundles that both forms of the executable are made of. */
export interface Bundles {
  /** main.ts: the plugin and the choice of the mode. */
  readonly main: string;
  /** The agent, loaded by main when it is asked for. */
  readonly agent: string;
}

/** @returns where the bundles of a directory lie */
export function bundlesIn(directory: string): Bundles {
  return { main: `${directory}/main.mjs`, agent: `${directory}/agent.mjs` };
}

/** As main.ts writes it. */
const AGENT_SPECIFIER = "./src/agent/main.ts";
/** Packages that the agent's dependencies load only where they happen to be installed. */
const OPTIONAL_PACKAGES = ["supports-color", "bufferutil", "utf-8-validate"];

/**
 * Bundles main.ts and the agent apart from each other: bundled as one with code splitting, the shared chunk imports
 * `node:module`, and that alone makes the plugin 2.5 times slower.
 *
 * @param source the directory of main.ts
 * @param directory exists, and gets the bundles
 * @throws when a bundle cannot be made, or the plugin's would import anything
 */
export async function bundle(source: string, directory: string): Promise<Bundles> {
  const bundles = bundlesIn(directory);
  await bundleOne(`${source}/main.ts`, bundles.main);
  await bundleOne(`${source}/src/agent/main.ts`, bundles.agent);
  // Whoever looks for the nearest package.json stops here, and does not search the directories above the checkout.
  await Deno.writeTextFile(`${directory}/package.json`, '{ "type": "module" }\n');
  await Deno.writeTextFile(bundles.main, linkAgent(await Deno.readTextFile(bundles.main)));
  return bundles;
}

async function bundleOne(entry: string, output: string): Promise<void> {
  const external = OPTIONAL_PACKAGES.flatMap((name) => ["--external", name]);
  const { ok, output: text } = await runDeno(["bundle", "--quiet", "--minify", ...external, "--output", output, entry]);
  if (!ok) throw new Error(`Cannot bundle ${entry}: ${text.trim()}`);
}

function linkAgent(main: string): string {
  const parts = main.split(JSON.stringify(AGENT_SPECIFIER));
  if (parts.length !== 2) throw new Error(`Cannot link the agent: main.ts names it ${parts.length - 1} times`);
  if (/^import\b|\bnode:/m.test(main)) throw new Error("Cannot use the bundle of main.ts: it imports something");
  return parts.join('"./agent.mjs"');
}
