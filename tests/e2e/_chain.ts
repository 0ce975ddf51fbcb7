/** A runtime that executes a network configuration of several plugins (SPEC 1.1.0, section 3). */
import { record } from "../lab/json.ts";
import type { LabNode } from "../lab/node.ts";
import type { Sandbox } from "./_sandbox.ts";

export interface ChainPlugin {
  /** Absolute path of the executable. */
  readonly path: string;
  /** Its keys of the configuration, with the `runtimeConfig` that its capabilities get. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** False where its own CHECK is broken. Default true. */
  readonly checks?: boolean;
}

/** What the plugins of bookworm speak. */
const VERSION = "1.0.0";

export interface Chain {
  /** Executes each plugin with the result of the one before. @returns the last one's result. @throws what a plugin says */
  add(sandbox: Sandbox): Promise<Record<string, unknown>>;
  /** With the chain's final result. @throws what a plugin says */
  check(sandbox: Sandbox, prevResult: Record<string, unknown>): Promise<void>;
  /** In reverse order, with the chain's final result. @throws what a plugin says */
  del(sandbox: Sandbox, prevResult: Record<string, unknown>): Promise<void>;
}

export function chainOf(node: LabNode, plugins: readonly ChainPlugin[]): Chain {
  const call = async (
    verb: string,
    { plugin: { path, config }, sandbox, prevResult }: {
      plugin: ChainPlugin;
      sandbox: Sandbox;
      prevResult?: Record<string, unknown> | undefined;
    },
  ): Promise<string> => {
    const type = path.slice(path.lastIndexOf("/") + 1);
    const { code, stdout, stderr } = await node.exec([path], {
      stdin: JSON.stringify({ cniVersion: VERSION, name: "chained", type, ...config, prevResult }),
      env: {
        ...{ CNI_COMMAND: verb, CNI_CONTAINERID: sandbox.id, CNI_NETNS: `/run/netns/${sandbox.id}` },
        ...{ CNI_IFNAME: "eth0", CNI_PATH: "/opt/cni/bin:/usr/lib/cni" },
      },
    });
    if (code === 0) return stdout;
    throw new Error(`Cannot ${verb} by ${type}: ${stdout}${stderr}`);
  };
  return {
    add: async (sandbox) => {
      let prevResult: Record<string, unknown> | undefined;
      for (const plugin of plugins) {
        prevResult = record(JSON.parse(await call("ADD", { plugin, sandbox, prevResult })));
      }
      return prevResult ?? {};
    },
    check: async (sandbox, prevResult) => {
      for (const plugin of plugins.filter(({ checks = true }) => checks)) {
        await call("CHECK", { plugin, sandbox, prevResult });
      }
    },
    del: async (sandbox, prevResult) => {
      for (const plugin of plugins.toReversed()) await call("DEL", { plugin, sandbox, prevResult });
    },
  };
}
