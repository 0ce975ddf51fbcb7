import { type Page, type Pages, PageServer, shared } from "../http/page_server.ts";
import type { Logger } from "../log/logger.ts";
import type { MetricRegistry } from "../prometheus/metric_registry.ts";
import { AGENT_SOCKET } from "../paths/paths.ts";
import type { DropMeter } from "./drop_meter.ts";
import { type Check, livenessChecks, readinessChecks, renderChecks } from "./health_checks.ts";
import type { MetricFacts } from "./metric_facts.ts";
import { METRICS } from "./node_metrics.ts";
import { callItself } from "./self_call.ts";

export interface PagesDependencies {
  readonly registry: MetricRegistry<MetricFacts>;
  readonly drops: Pick<DropMeter, "look">;
  readonly logger: Logger;
  /** What is known now; undefined while the agent starts. */
  facts(): MetricFacts | undefined;
}

/** `/metrics`, `/healthz` and `/readyz`. Listens nowhere yet. */
export function assemblePages({ registry, drops, logger, facts }: PagesDependencies): PageServer {
  for (const metric of METRICS) registry.add(metric);
  const metrics = shared(async (): Promise<Page> => {
    const known = facts();
    if (known === undefined) return STARTING;
    void drops.look(); // for the next one: this one does not wait for nft
    return { status: 200, contentType: registry.contentType, text: await registry.text(known) };
  });
  const live = shared(async () => {
    const known = facts();
    return known === undefined ? [] : livenessChecks(known, await callItself(AGENT_SOCKET));
  });
  const pages: Pages = {
    "/metrics": metrics,
    "/healthz": async (query) => judge(await live(), query),
    "/readyz": (query) => {
      const known = facts();
      return Promise.resolve(known === undefined ? STARTING : judge(readinessChecks(known), query));
    },
  };
  return new PageServer({ pages, logger });
}

const STARTING: Page = { status: 503, text: "the agent starts\n" };

/** `?exclude=NAME`, any number of times, as Kubernetes' own servers have it. */
function judge(checks: readonly Check[], query: URLSearchParams): Page {
  return renderChecks(checks, query.getAll("exclude"));
}
