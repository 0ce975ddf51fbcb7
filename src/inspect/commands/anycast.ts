import { hostPrefix, parseAddress } from "../../ip/address.ts";
import { servedByLink } from "../../route/read_routes.ts";
import type { PodSnapshot } from "../../snapshot/agent_snapshot.ts";
import { beliefOf, nameOf } from "../belief.ts";
import { anycastFindings, deadAgentFindings } from "../findings/agent_findings.ts";
import { driftFindings } from "../findings/drift_findings.ts";
import { originFindings } from "../findings/origin_findings.ts";
import { deadBirdFindings } from "../findings/session_findings.ts";
import type { Cell, Report } from "../report.ts";
import { type Gathered, seen } from "../sources.ts";
import { toldTo } from "./bgp.ts";
import { type Command, refuseWords } from "./command.ts";

/** Every anycast address of this node's pods, from the pod's readiness to the routers. */
export const anycast: Command = {
  name: "anycast",
  parameters: "",
  summary: "anycast addresses: their pods, Ready or not, advertised or why not, kernel's route, BIRD's",
  refuse: refuseWords,
  needs: () => ["agent", "files", "anycast", "bgp"],
  inspect: inspectAnycast,
};

/** One pod and one of its addresses. */
interface ClaimRow {
  readonly address: string;
  readonly pod: string;
  /** Absent: nobody knows. */
  readonly ready?: boolean;
  readonly terminating?: boolean;
  /** By the agent's word; absent: it says nothing. */
  readonly advertised?: boolean;
  /** Why not. */
  readonly reason?: string;
  /** Whether the kernel leads there over the pod's link; absent: nobody could look. */
  readonly route?: boolean;
  /** Whether BIRD has it to tell; absent: it does not answer. */
  readonly originated?: boolean;
  readonly toldTo: readonly string[];
}

function inspectAnycast(gathered: Gathered): Report {
  const belief = beliefOf(gathered);
  const rows = belief.pods.flatMap((pod) => claimsOf(pod, gathered)).sort(byAddress);
  const agent = seen(gathered.agent);
  return {
    fields: { anycast: rows },
    findings: [
      ...anycastFindings(agent?.pods ?? []),
      ...driftFindings(gathered, belief),
      ...originFindings(gathered),
      ...deadAgentFindings(gathered, belief),
      ...deadBirdFindings(gathered.bgp),
    ],
    sections: [{
      columns: ["address", "pod", "ready", "advertised", "because", "route", "bird", "told to"].map((title) => ({
        title,
      })),
      rows: rows.map((row): Cell[] => [
        ...[row.address, row.pod, row.terminating === true ? "terminating" : wordOf(row.ready)],
        toned(row.advertised),
        row.reason ?? "",
        ...[toned(row.route), toned(row.originated), row.toldTo.join(", ")],
      ]),
      empty: "no pod of this node claims one",
    }],
  };
}

function claimsOf(pod: PodSnapshot, gathered: Gathered): ClaimRow[] {
  const [agent, found, routes] = [seen(gathered.agent), seen(gathered.anycast), seen(gathered.bgp)];
  const served = found === undefined ? undefined : servedByLink(found).get(pod.hostLink)?.map(({ text }) => text) ?? [];
  return pod.anycast.map(({ address, advertised, reason }) => {
    const prefix = prefixOf(address);
    return {
      ...{ address, pod: nameOf(pod), toldTo: toldTo(prefix, routes) },
      ...(pod.ready === undefined ? {} : { ready: pod.ready }),
      ...(pod.terminating === undefined ? {} : { terminating: pod.terminating }),
      ...(agent === undefined ? {} : { advertised }),
      ...(agent === undefined || reason === undefined ? {} : { reason }),
      ...(served === undefined ? {} : { route: served.includes(address) }),
      ...(routes === undefined ? {} : { originated: routes.originated.includes(prefix) }),
    };
  });
}

/** @returns the address as a prefix of one address */
export function prefixOf(text: string): string {
  const address = parseAddress(text);
  return address === undefined ? text : hostPrefix(address).text;
}

function wordOf(is: boolean | undefined): string {
  return is === undefined ? "?" : is ? "yes" : "no";
}

function toned(is: boolean | undefined): Cell {
  return is === undefined ? "?" : { text: wordOf(is), tone: is ? "good" : "warn" };
}

function byAddress(a: ClaimRow, b: ClaimRow): number {
  return a.address === b.address ? (a.pod < b.pod ? -1 : 1) : a.address < b.address ? -1 : 1;
}
