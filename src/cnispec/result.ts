import { CNI_CODE, isCniError } from "./cni_error.ts";
import { CNI_VERSIONS, type CniVersion, isOlder, NEWEST_VERSION } from "./cni_version.ts";
import { DEFAULT_ROUTE, NEXT_HOP } from "../next_hop/next_hop.ts";
import { withRequestId } from "../rpc/request_id.ts";

/** What ADD made, as the runtime is told. */
export interface AddOutcome {
  /** The version that the configuration asked for. */
  readonly cniVersion: CniVersion;
  readonly hostLink: string;
  /** MAC address of the host's end, where it is known. */
  readonly hostMac?: string;
  readonly ifname: string;
  readonly podMac: string;
  /** CNI_NETNS as it was given. */
  readonly netns: string;
  /** MTU of both ends in bytes. */
  readonly mtu: number;
  /** Canonical text; absent when the pod does not have the family. */
  readonly ipv4?: string;
  readonly ipv6?: string;
}

const HOST_LENGTH = { 4: 32, 6: 128 } as const;
/** Where the pod's end stands among the interfaces. */
const POD_INTERFACE = 1;

/**
 * Renders the result of ADD in the schema of the version asked for. IPv4 comes first, since containerd takes the first IPv4
 * address as the pod's own.
 */
export function renderResult(outcome: AddOutcome): Record<string, unknown> {
  const { cniVersion, mtu, ipv4, ipv6 } = outcome;
  const ends = [
    { name: outcome.hostLink, ...(outcome.hostMac === undefined ? {} : { mac: outcome.hostMac }) },
    { name: outcome.ifname, mac: outcome.podMac, sandbox: outcome.netns },
  ];
  const families = ([[4, ipv4], [6, ipv6]] as const).flatMap(([family, address]) =>
    address === undefined ? [] : [{ family, address }]
  );
  return {
    cniVersion,
    interfaces: isOlder(cniVersion, "1.1.0") ? ends : ends.map((end) => ({ ...end, mtu })),
    ips: families.map(({ family, address }) => ({
      ...(isOlder(cniVersion, "1.0.0") ? { version: String(family) } : {}),
      address: `${address}/${HOST_LENGTH[family]}`,
      gateway: NEXT_HOP[family],
      interface: POD_INTERFACE,
    })),
    routes: families.map(({ family }) => ({ dst: DEFAULT_ROUTE[family], gw: NEXT_HOP[family] })),
    dns: {},
  };
}

/** Renders the answer to VERSION. It repeats the version that was asked for, spoken or not. */
export function renderVersions(asked: string | undefined): Record<string, unknown> {
  return { cniVersion: asked ?? NEWEST_VERSION, supportedVersions: CNI_VERSIONS };
}

/** Renders an error; its details name the request. What is no CniError is an internal one (999). */
export function renderError(
  error: unknown,
  { version, requestId }: { version?: CniVersion; requestId?: string } = {},
): Record<string, unknown> {
  const { code, details } = isCniError(error) ? error : { code: CNI_CODE.internal, details: "" };
  const message = error instanceof Error ? error.message : String(error);
  const named = reword(withRequestId(details, requestId));
  return { cniVersion: version ?? NEWEST_VERSION, code, msg: reword(message), details: named };
}

/**
 * Runtimes take an error of DEL that contains one of these phrases for "already gone" and forget the container, so no error of
 * ours may contain them, whatever it quotes.
 */
function reword(text: string): string {
  return text.replace(/no such file or directory/gi, "file is missing").replace(/not found/gi, "missing");
}
