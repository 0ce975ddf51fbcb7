import type { PodSnapshot } from "../../snapshot/agent_snapshot.ts";
import { beliefOf, nameOf } from "../belief.ts";
import { dim } from "../cells.ts";
import { agentFindings } from "../findings/agent_findings.ts";
import { driftFindings } from "../findings/drift_findings.ts";
import type { Report } from "../report.ts";
import { type Gathered, seen, type Sources } from "../sources.ts";
import { type Command, refuseWords } from "./command.ts";

/** Every route that is flock's, and whose pod it leads to. */
export const routes: Command = {
  name: "routes",
  parameters: "",
  summary: "flock's routes in the kernel, and which pods they lead to",
  refuse: refuseWords,
  needs: () => ["agent", "files", "ends", "routes", "anycast", "tables"],
  inspect: list,
};

interface Route {
  readonly destination: string;
  readonly kind: "pod" | "blackhole" | "anycast";
  readonly by: string;
  readonly metric?: number;
  readonly pods: readonly string[];
}

function list(gathered: Gathered, { now }: { now: number }): Report {
  const belief = beliefOf(gathered);
  const nameAt = new Map(belief.pods.map((pod: PodSnapshot) => [pod.hostLink, nameOf(pod)]));
  const found = [
    ...(seen(gathered.routes) ?? []).map((route) => plainRoute(route, nameAt)),
    ...anycastRoutes(seen(gathered.anycast), nameAt),
  ].sort((a, b) => a.destination < b.destination ? -1 : 1);
  const about = /^(route|pod) /;
  return {
    fields: { routes: found },
    findings: [
      ...(seen(gathered.agent) === undefined ? agentFindings(gathered, { belief, now }) : []),
      ...driftFindings(gathered, belief).filter(({ subject, is }) => about.test(subject) && /route|missing/.test(is)),
    ],
    sections: [{
      columns: [
        ...["destination", "kind", "by"].map((title) => ({ title })),
        { title: "metric", wide: true },
        { title: "pods" },
      ],
      rows: found.map(({ destination, kind, by, metric, pods }) => [
        ...[destination, kind, by, `${metric ?? ""}`],
        pods.length === 0 ? dim("-") : pods.join(", "),
      ]),
      empty: "no routes",
    }],
  };
}

function plainRoute(
  { destination, link, metric, details }: Sources["routes"][number],
  nameAt: ReadonlyMap<string, string>,
): Route {
  const isBlackhole = details.includes("type blackhole");
  const pod = nameAt.get(link);
  return {
    ...{ destination, kind: isBlackhole ? "blackhole" : "pod", by: isBlackhole ? "" : `dev ${link}` },
    ...(metric === undefined ? {} : { metric }),
    pods: pod === undefined ? [] : [pod],
  };
}

function anycastRoutes(found: Sources["anycast"] | undefined, nameAt: ReadonlyMap<string, string>): Route[] {
  if (found === undefined) return [];
  const linkOf = new Map(found.hops.map(({ id, link }) => [id, link]));
  return found.routes.map(({ destination, metric, by, whole }) => {
    const members = whole === undefined ? [] : found.groups.get(whole.group)?.members ?? [];
    const links = members.flatMap((id) => linkOf.get(id) ?? []);
    const dev = links.length === 0 ? by : `${by} dev ${links.join(", ")}`;
    return { destination, kind: "anycast", by: dev, metric, pods: links.map((link) => nameAt.get(link) ?? link) };
  });
}
