/** What an Event is about, and how urgent it is. */
interface EventKind {
  readonly on: "NodeConfig" | "Pod" | "NetworkPolicy";
  readonly type: "Normal" | "Warning";
}

/** Every reason of an Event that flock records; the README says when (a test holds the two equal). */
export const EVENT_REASONS = {
  InvalidAnnotation: { on: "Pod", type: "Warning" },
  AnnotationIgnored: { on: "Pod", type: "Warning" },
  AddressPoolExhausted: { on: "Pod", type: "Warning" },
  AddressTaken: { on: "Pod", type: "Warning" },
  ClaimUnchecked: { on: "Pod", type: "Warning" },
  NodeNotReady: { on: "Pod", type: "Warning" },
  PodUnknown: { on: "Pod", type: "Warning" },
  PoliciesUnknown: { on: "Pod", type: "Warning" },
  StateNotWritten: { on: "Pod", type: "Warning" },
  AttachFailed: { on: "Pod", type: "Warning" },
  AddFailed: { on: "Pod", type: "Warning" },
  PrimaryAddressKept: { on: "Pod", type: "Warning" },
  HostPortWithoutPortmap: { on: "Pod", type: "Warning" },
  InvalidNodeConfig: { on: "NodeConfig", type: "Warning" },
  NodeConfigWarning: { on: "NodeConfig", type: "Warning" },
  NodeConfigDeleted: { on: "NodeConfig", type: "Warning" },
  NodeConfigNotApplied: { on: "NodeConfig", type: "Warning" },
  NodeConfigInForce: { on: "NodeConfig", type: "Normal" },
  BGPSessionLost: { on: "NodeConfig", type: "Warning" },
  BGPSessionEstablished: { on: "NodeConfig", type: "Normal" },
  BirdUnreachable: { on: "NodeConfig", type: "Warning" },
  BirdConfigurationRefused: { on: "NodeConfig", type: "Warning" },
  SessionsNotAsConfigured: { on: "NodeConfig", type: "Warning" },
  PoolExhausted: { on: "NodeConfig", type: "Warning" },
  PoolNearlyExhausted: { on: "NodeConfig", type: "Warning" },
  PoolsHealthy: { on: "NodeConfig", type: "Normal" },
  PoliciesFailClosed: { on: "NodeConfig", type: "Warning" },
  PoliciesNotWritten: { on: "NodeConfig", type: "Warning" },
  PolicyInSync: { on: "NodeConfig", type: "Normal" },
  Repaired: { on: "NodeConfig", type: "Warning" },
  APIServerUnreachable: { on: "NodeConfig", type: "Warning" },
  PolicyInvalid: { on: "NetworkPolicy", type: "Warning" },
  PolicyQuarantined: { on: "NetworkPolicy", type: "Warning" },
} as const satisfies Readonly<Record<string, EventKind>>;

export type EventReason = keyof typeof EVENT_REASONS;

/** The reasons of Events on one kind of object. */
export type ReasonOn<Kind extends EventKind["on"]> = {
  [Reason in EventReason]: (typeof EVENT_REASONS)[Reason]["on"] extends Kind ? Reason : never;
}[EventReason];

/** @returns whether Events on pods have the reason */
export function isPodReason(reason: string | undefined): reason is ReasonOn<"Pod"> {
  return Object.entries(EVENT_REASONS).some(([name, { on }]) => name === reason && on === "Pod");
}
