import { parseNodeConfig } from "../nodeconfig/parse_node_config.ts";
import type { NodeConfig } from "../nodeconfig/node_config.ts";
import type { SourceReaders } from "./sources.ts";
import { parseStateDocument, type StateDocument } from "../store/state_document.ts";

/** What an agent has left on the disk. */
export interface NodeFiles {
  /** Absent: there is none. */
  readonly state?: StateDocument;
  /** The NodeConfig that was in force last; absent: there is none that can be used. */
  readonly nodeConfig?: NodeConfig;
  /** What is wrong with the files, one phrase each. */
  readonly problems: readonly string[];
}

/**
 * Reads the state file, where it is damaged the one before it, and the remembered NodeConfig. Only reads; never throws.
 *
 * @param read rejects where there is no such file
 */
export async function readFiles(
  paths: { readonly state: string; readonly nodeConfig: string },
  read: (path: string) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<NodeFiles> {
  const problems: string[] = [];
  const tried = async <T>(path: string, parse: (bytes: Uint8Array<ArrayBuffer>) => T): Promise<T | undefined> => {
    try {
      return parse(await read(path));
    } catch (error) {
      problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const state = await tried(paths.state, parseStateDocument) ?? await tried(`${paths.state}.prev`, parseStateDocument);
  const nodeConfig = await tried(paths.nodeConfig, (bytes) => parseNodeConfig(JSON.parse(decode(bytes))));
  return {
    ...(state === undefined ? {} : { state }),
    ...(nodeConfig === undefined ? {} : { nodeConfig }),
    problems,
  };
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** @param readers each is to be called as often as one likes, and reads once. @returns the readers of what the node's own words are */
export function nodeReaders(
  { agent, recorded }: Pick<SourceReaders, "agent" | "recorded">,
): Pick<SourceReaders, "agent" | "files" | "recorded"> {
  return { agent, recorded, files: () => agent().then(() => ({ problems: [] }), recorded) };
}

/** @returns a function that asks at most once */
export function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => answer ??= ask();
}
