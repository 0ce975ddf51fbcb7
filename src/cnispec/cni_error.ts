/** CNI error codes that flock answers with (SPEC 1.1.0, "Error"; 100 and above are flock's own). */
export const CNI_CODE = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  decodeFailure: 6,
  invalidNetworkConfig: 7,
  netnsIsHost: 8,
  tryAgainLater: 11,
  /** STATUS: no ADD can be served. */
  notAvailable: 50,
  /** STATUS: no ADD can be served, and existing containers may have limited connectivity. */
  limitedConnectivity: 51,
  /** An annotation of the pod, or both families switched off. */
  invalidAnnotation: 101,
  /** CHECK: what is differs from what should be. */
  checkFailed: 110,
  /** GC: not everything could be removed. */
  gcIncomplete: 111,
  internal: 999,
} as const;

export interface CniErrorOptions {
  readonly details?: string;
  /** Why, as one CamelCase token: the reason of the pod's Event, and of the line in the log. */
  readonly reason?: string;
  readonly cause?: unknown;
}

/** An answer of the plugin that is an error. `msg` is a line for people, `details` is more for them. */
export class CniError extends Error {
  override readonly name = "CniError";
  readonly details: string;
  readonly reason: string | undefined;

  constructor(readonly code: number, message: string, options: CniErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.details = options.details ?? "";
    this.reason = options.reason;
  }
}

/** Says whether it is a CniError, of this bundle's class or of another's: each bundle has its own. */
export function isCniError(error: unknown): error is CniError {
  return error instanceof Error && error.name === "CniError";
}
