import { runDeno } from "./run_deno.ts";

/** The bundles that both forms of the executable are made of. */
export interface Bundles {
  /** main.ts: the choice of the mode, and the plugin. */
  readonly main: string;
  /** What the plugin loads where no agent takes its call. */
  readonly withoutAgent: string;
  /** The agent, loaded by main when it is asked for. */
  readonly agent: string;
  /** `install` and `uninstall`, loaded by main when it is asked for one. */
  readonly install: string;
  /** `inspect`, loaded by main when it is asked for. */
  readonly inspect: string;
}

/** @returns the bundles that main loads when it needs them */
export function loadedOf({ withoutAgent, agent, install, inspect }: Bundles): string[] {
  return [withoutAgent, agent, install, inspect];
}

/** @returns where the bundles of a directory lie */
export function bundlesIn(directory: string): Bundles {
  const at = (name: string): string => `${directory}/${name}.mjs`;
  return {
    ...{ main: at("main"), withoutAgent: at("without_agent"), agent: at("agent") },
    ...{ install: at("install"), inspect: at("inspect") },
  };
}

/** What main.ts loads on demand, as it writes it -> where the bundle lies. */
const LOADED = {
  "./src/cni/without_agent.ts": "./without_agent.mjs",
  "./src/agent/main.ts": "./agent.mjs",
  "./src/install/main.ts": "./install.mjs",
  "./src/inspect/main.ts": "./inspect.mjs",
};
/** Packages that the agent's dependencies load only where they happen to be installed. */
const OPTIONAL_PACKAGES = ["supports-color", "bufferutil", "utf-8-validate"];

/**
 * Bundles main.ts and what it loads apart from each other: bundled as one with code splitting, the shared chunk imports
 * `node:module`, and that alone makes the plugin 2.5 times slower.
 *
 * @param source the directory of main.ts
 * @param directory exists, and gets the bundles
 * @throws when a bundle cannot be made, or one that a call of the plugin loads would import anything
 */
export async function bundle(source: string, directory: string): Promise<Bundles> {
  const bundles = bundlesIn(directory);
  await bundleOne(`${source}/main.ts`, bundles.main);
  await bundleOne(`${source}/src/cni/without_agent.ts`, bundles.withoutAgent);
  await bundleOne(`${source}/src/agent/main.ts`, bundles.agent);
  await bundleOne(`${source}/src/install/main.ts`, bundles.install);
  await bundleOne(`${source}/src/inspect/main.ts`, bundles.inspect);
  // Whoever looks for the nearest package.json stops here, and does not search the directories above the checkout.
  await Deno.writeTextFile(`${directory}/package.json`, '{ "type": "module" }\n');
  await Deno.writeTextFile(bundles.main, linkLoaded(await Deno.readTextFile(bundles.main)));
  for (const file of [bundles.main, bundles.withoutAgent]) requireNoImport(await Deno.readTextFile(file));
  return bundles;
}

async function bundleOne(entry: string, output: string): Promise<void> {
  const external = OPTIONAL_PACKAGES.flatMap((name) => ["--external", name]);
  const { ok, output: text } = await runDeno(["bundle", "--quiet", "--minify", ...external, "--output", output, entry]);
  if (!ok) throw new Error(`Cannot bundle ${entry}: ${text.trim()}`);
}

function linkLoaded(main: string): string {
  return Object.entries(LOADED).reduce((text, [specifier, bundle]) => {
    const parts = text.split(JSON.stringify(specifier));
    if (parts.length !== 2) throw new Error(`Cannot link ${specifier}: main.ts names it ${parts.length - 1} times`);
    return parts.join(JSON.stringify(bundle));
  }, main);
}

function requireNoImport(bundle: string): void {
  if (/^import\b|\bnode:/m.test(bundle)) throw new Error("Cannot use the plugin's bundle: it imports something");
}
