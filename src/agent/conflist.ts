import type { NodeConfig } from "../nodeconfig/node_config.ts";

/**
 * The network configuration for the runtime (SPEC 1.1.0, "Network configuration format").
 *
 * `cniVersion` is what the oldest runtimes in use can read (libcni 1.1 refuses 1.1.0); newer ones take the highest of `cniVersions`
 * that they know, and with 1.1.0 they call STATUS. `loadOnlyInlinedPlugins` keeps a side directory from adding plugins.
 *
 * @returns the file's text, the same for the same input
 */
export function renderConflist({ portmap }: Pick<NodeConfig, "portmap">): string {
  const plugins = [
    { type: "flock", capabilities: { "io.kubernetes.cri.pod-annotations": true } },
    ...(portmap ? [{ type: "portmap", capabilities: { portMappings: true }, snat: false }] : []),
  ];
  const conflist = {
    cniVersion: "1.0.0",
    cniVersions: ["1.0.0", "1.1.0"],
    name: "flock",
    loadOnlyInlinedPlugins: true,
    plugins,
  };
  return `${JSON.stringify(conflist, null, 2)}\n`;
}

/**
 * @param file reads and replaces the conflist
 * @returns a function that writes the conflist when it differs from what is there; called once the node can serve, and again
 */
export function createConflistPlacer(
  file: { read(): Promise<string | undefined>; write(text: string): Promise<void> },
): (config: Pick<NodeConfig, "portmap"> | undefined) => Promise<void> {
  return async (config) => {
    if (config === undefined) return;
    const text = renderConflist(config);
    if (await file.read().catch(() => undefined) !== text) await file.write(text);
  };
}
