/** One broken rule of a 422 answer. */
export interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

/** An answer that is not 2xx, as `kind: Status` carries it. */
export class StatusError extends Error {
  override readonly name = "StatusError";

  constructor(readonly code: number, readonly reason: string, message: string, readonly causes: readonly Cause[] = []) {
    super(message);
  }

  toStatus(): Record<string, unknown> {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      reason: this.reason,
      ...(this.causes.length > 0 ? { details: { causes: this.causes } } : {}),
      code: this.code,
    };
  }
}

/** 410: the resource version or the continue token is older than the history. */
export function gone(message: string): StatusError {
  return new StatusError(410, "Expired", message);
}
