import { InvalidInput } from "../fault/invalid_input.ts";
import { isLink } from "../file/claim_directory.ts";
import { writeAtomically } from "../file/write_atomically.ts";
import type { Logger } from "../log/logger.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import { parseNodeConfig } from "../nodeconfig/parse_node_config.ts";
import { renderNodeConfig } from "../nodeconfig/render_node_config.ts";

/** Keeps the NodeConfig in force over restarts of the agent, for when the one in the API is invalid or gone by then. */
export interface NodeConfigMemory {
  /** @returns undefined when there is none that can be used */
  load(): NodeConfig | undefined;
  /** Durable when it resolves. @throws Deno's errors */
  save(config: NodeConfig): Promise<void>;
}

/** @param path an absolute path */
export function openNodeConfigMemory({ path, logger }: { path: string; logger: Logger }): NodeConfigMemory {
  return {
    load: () => {
      if (isLink(path)) return undefined;
      try {
        return parseNodeConfig(JSON.parse(Deno.readTextFileSync(path)));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        if (!(error instanceof InvalidInput || error instanceof SyntaxError)) throw error;
        logger.warn("remembered NodeConfig not used", { path, reason: error.message });
        return undefined;
      }
    },
    save: (config) => writeAtomically(path, { text: `${JSON.stringify(renderNodeConfig(config))}\n`, mode: 0o600 }),
  };
}
