/** Where a server is reached, and as whom. */
export interface Access {
  /** `https://host:port` */
  readonly url: string;
  /** The certificate of the authority that signed the server's. */
  readonly caFile: string;
  /** user -> bearer token */
  readonly tokens: Readonly<Record<string, string>>;
}

/** What a lab knows of its Kubernetes API server, whichever of the two it is: the embedded one or the real one. */
export interface ApiServer extends Access {
  readonly kind: "embedded" | "real";
  /** @returns the bearer token of a user named at start; `admin` may do everything. @throws for an unknown user */
  token(user?: string): string;
  /** @returns the text of a kubeconfig that needs no other file */
  kubeconfig(user?: string): string;
  readonly faults: ApiFaults;
  /** Ends the server and removes what it made. Idempotent. */
  stop(): Promise<void>;
}

/** Many objects of one kind. */
export interface Filling {
  /** `/api/v1/pods` */
  readonly collection: string;
  readonly base: Readonly<Record<string, unknown>>;
  /** Of each: what is other than in `base`, its name (and namespace) among that. */
  readonly variants: readonly Readonly<Record<string, unknown>>[];
}

/** Ways to make the server misbehave as real ones do. */
export interface ApiFaults {
  /** Connections are accepted and never answered; running watches fall silent: a half-open network. */
  freeze(): Promise<void>;
  /** Nothing listens; running watches are cut. */
  refuse(): Promise<void>;
  /** Ends every fault but a revoked token. Objects and versions are as before. */
  recover(): Promise<void>;
  /**
   * Forgets the history: running watches are cut, older resource versions and continue tokens are answered 410 Gone.
   */
  compact(): Promise<void>;
  /**
   * Every request is answered with this HTTP status.
   *
   * @throws on the real server, as all that follow: it cannot be told to
   */
  fail(status: number, options?: { readonly retryAfterSeconds?: number }): Promise<void>;
  /** Watches say nothing, everything else is served: a watch cache that is behind. */
  stall(): Promise<void>;
  /** No watch lasts longer than a second. */
  hurry(): Promise<void>;
  /**
   * Lists are answered 200, empty and of an old version, watches 410; running ones are cut: a server that has lost
   * everything.
   */
  forget(): Promise<void>;
  /** The user's token is let in no more, for good; running watches are cut. */
  revoke(user: string): Promise<void>;
}

export interface ApiOptions {
  /** Where to listen: an address, `::` for all. */
  readonly hostname: string;
  /** 0: any free one (the real server then takes one that was free a moment before). */
  readonly port: number;
  /** The host in `url`, when clients must use another than `hostname`. */
  readonly advertise?: string;
  /** More names and addresses for the server's certificate. */
  readonly hosts?: readonly string[];
  /** Users beside `admin`: name -> groups. The embedded server lets every known user do everything. */
  readonly users?: Readonly<Record<string, readonly string[]>>;
  /** For certificates, tokens and data; must not exist or be empty. Absent: a temporary one. Removed by `stop`. */
  readonly dir?: string;
  /** CustomResourceDefinitions to install. Default: the repository's. */
  readonly crds?: readonly string[];
}

/** The part of `ApiServer` that follows from its access. */
export type Described = Access & Pick<ApiServer, "token" | "kubeconfig">;

/** @returns what `ApiServer` offers of its access. @param ca the text of `caFile` */
export function describeAccess(access: Access, ca: string): Described {
  const token = (user = "admin"): string => {
    const found = access.tokens[user];
    if (found === undefined) throw new Error(`Cannot name a token of ${JSON.stringify(user)}: no such user`);
    return found;
  };
  const kubeconfig = (user = "admin"): string =>
    JSON.stringify(
      {
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "lab", cluster: { server: access.url, "certificate-authority-data": btoa(ca) } }],
        users: [{ name: user, user: { token: token(user) } }],
        contexts: [{ name: "lab", context: { cluster: "lab", user } }],
        "current-context": "lab",
      },
      null,
      2,
    );
  return { ...access, token, kubeconfig };
}

/** @returns host and port as they stand in a URL, IPv6 in brackets */
export function formatEndpoint(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
