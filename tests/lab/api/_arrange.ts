/** What both servers need before they start. */
import { describeAccess, formatEndpoint } from "./api_server.ts";
import type { ApiOptions, Described } from "./api_server.ts";
import { type Credentials, makeCredentials } from "./pki.ts";

/** The repository's own definition. */
const NODE_CONFIG_CRD: string = new URL("../../../crds/nodeconfig.yaml", import.meta.url).pathname;

const ANY = ["::", "0.0.0.0"];

export interface Arrangement {
  readonly dir: string;
  readonly crds: readonly string[];
  readonly credentials: Credentials;
  /** Removes the directory. */
  clear(): Promise<void>;
  /** @returns the server's access, once its port is known */
  describe(port: number): Promise<Described>;
}

/** Makes the directory, the certificates and the tokens. */
export async function arrange(options: ApiOptions): Promise<Arrangement> {
  const dir = options.dir ?? await Deno.makeTempDir({ prefix: "flock-api-" });
  await Deno.mkdir(dir, { recursive: true });
  const host = options.advertise ?? (ANY.includes(options.hostname) ? "localhost" : options.hostname);
  const hosts = ["localhost", "127.0.0.1", "::1", host, ...options.hosts ?? []];
  const credentials = await makeCredentials(dir, { hosts, users: options.users ?? {} });
  const { caFile, tokens } = credentials;
  const urlOf = (port: number): string => `https://${formatEndpoint(host, port)}`;
  return {
    dir,
    crds: options.crds ?? [NODE_CONFIG_CRD],
    credentials,
    clear: () => Deno.remove(dir, { recursive: true }),
    describe: async (port) => describeAccess({ url: urlOf(port), caFile, tokens }, await Deno.readTextFile(caFile)),
  };
}
