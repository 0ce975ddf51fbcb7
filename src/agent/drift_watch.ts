import type { Clock } from "../clock/clock.ts";
import type { LineSource } from "../exec/command_runner.ts";
import { keepFollowing } from "../exec/keep_following.ts";
import { IP_MONITOR, isLoss, parseIpEvent } from "../exec/parse_ip_event.ts";
import type { HostNetwork, HostState } from "../host/host_driver.ts";
import { isNews } from "../host/is_news.ts";
import type { Logger } from "../log/logger.ts";
import type { TransactionMark } from "../nft/transaction_mark.ts";
import { type Suspicion, TransactionTracker } from "../nft/transaction_tracker.ts";
import type { RouteDriver } from "../route/route_driver.ts";
import type { AllocationLedger } from "./allocation_ledger.ts";
import { PathWatch } from "./path_watch.ts";
import { RouteWatch } from "./route_watch.ts";
import type { SettingWatch } from "./setting_watch.ts";
import { Throttle } from "./throttle.ts";

/**
 * What somebody else may have changed: pods' paths (`links`), the packet guard's tables (`guard`), that of the policies (`policies`, and where that is not sure, `policies?`), sysctls
 * (`settings`), the node's own network and what flock has in it (`network`), routes to anycast addresses (`anycast`); `drift` is any of
 * them.
 */
export type DriftTick = "links" | "guard" | "policies" | "policies?" | "settings" | "network" | "anycast" | "drift";

/** Who writes nft tables of ours, and signs what it writes. */
export interface TableWriter {
  readonly mark: TransactionMark;
  /** What others' changes to its tables are told as, sure or not. */
  readonly ticks: Readonly<Record<Exclude<Suspicion, "none">, DriftTick>>;
  /** Signs its persistent process once more. Changes nothing. */
  sign(): Promise<void>;
}

/** Changes are looked at this long after the first of a burst, and at most so often, in milliseconds. */
const BURST = { delayMs: 100, everyMs: 500 };
/** A foreign table's owner may write every second (kube-proxy does); its transactions alone do not lead to a look. */
const GUARD_BURST = { delayMs: 50, everyMs: 1000 };
/** nft monitor remembers some 200 bytes of each line, and reads the whole ruleset of the node when it starts. */
const MAX_LINES = 50_000;
/**
 * Everything is looked at this often, whatever was heard: some changes are told by no message (a link's alias while it is down), and
 * nobody can prove that the kernel, iproute2 and nft tell of all others.
 */
const SAFETY_MS = 600_000;

export interface DriftWatchDependencies {
  readonly source: LineSource;
  /** Absolute paths of the tools. */
  readonly ip: string;
  readonly nft: string;
  /** Of all nft tables that are ours. */
  readonly writers: readonly TableWriter[];
  readonly settings: SettingWatch;
  readonly ledger: Pick<AllocationLedger, "all">;
  /** The anycast routes' driver. */
  readonly routes: Pick<RouteDriver, "left">;
  /** The node's network as last read, and what the node should be; undefined until then, and nothing of it matters before. */
  readonly node: { readonly network: HostNetwork | undefined; readonly hostState: HostState | undefined };
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface DriftListener {
  readonly signal: AbortSignal;
  /** Something has to be looked at. Resolves when it was, whether that went well or not; never rejects. */
  ring(tick: DriftTick): Promise<void>;
}

/** Watches the kernel by one `ip monitor` and one `nft monitor`, until the signal is aborted and both are reaped. Never rejects. */
export async function watchDrift(deps: DriftWatchDependencies, listener: DriftListener): Promise<void> {
  const { ring, signal } = listener;
  await Promise.all([
    watchIp(deps, listener),
    watchNft(deps, listener),
    deps.settings.run({ changed: () => ring("settings"), signal }),
    ringNowAndThen(deps, listener),
  ]);
}

async function watchIp(deps: DriftWatchDependencies, { signal, ring }: DriftListener): Promise<void> {
  const { clock, ledger, ip, routes } = deps;
  const burst = { ...BURST, clock, signal };
  const everything = new Throttle(() => ring("drift"), burst);
  const network = new Throttle(() => ring("network"), burst);
  const paths = new PathWatch({ ...burst, ledger, broken: () => ring("links") });
  const anycast = new RouteWatch({ ...burst, routes, broken: () => ring("anycast") });
  await keepFollowing({
    ...{ ...deps, signal, maxLines: Infinity },
    argv: [ip, ...IP_MONITOR],
    listening: () => everything.ring(),
    hear: (line) => {
      if (isLoss(line)) everything.ring();
      const event = parseIpEvent(line);
      if (event === undefined) return;
      paths.hear(event);
      anycast.hear(event);
      const { network: known, hostState } = deps.node;
      const blackholes = hostState?.blackholes ?? [];
      if (known !== undefined && isNews(event, { network: known, blackholes })) network.ring();
    },
  });
}

/**
 * A writer's process may have signed before the monitor heard anything. ADDs that waited for a new agent are granted in the monitor's
 * first moments, and would look like others' changes: so nobody is suspected before the process has signed again.
 */
async function watchNft(deps: DriftWatchDependencies, { signal, ring }: DriftListener): Promise<void> {
  const { clock, writers, nft } = deps;
  const transactions = new TransactionTracker(...writers.map(({ mark }) => mark));
  const signed = new Set<TableWriter>();
  const judge = (): void => {
    for (const each of writers.filter((writer) => signed.has(writer))) {
      const suspicion = transactions.changedByOthers(each.mark);
      if (suspicion !== "none") ring(each.ticks[suspicion]);
    }
  };
  const tables = new Throttle(judge, { ...GUARD_BURST, clock, signal });
  const signedAgain = (writer: TableWriter): void => {
    signed.add(writer);
    tables.ring();
  };
  await keepFollowing({
    ...{ ...deps, signal, maxLines: MAX_LINES },
    argv: [nft, "monitor"],
    listening: () => {
      // After a failure its next change signs.
      for (const each of writers) void each.sign().catch(() => {}).then(() => signedAgain(each));
      ring("drift");
    },
    hear: (line) => {
      if (transactions.hear(line)) tables.ring();
    },
  });
}

async function ringNowAndThen({ clock }: DriftWatchDependencies, { signal, ring }: DriftListener): Promise<void> {
  while (await clock.sleep(SAFETY_MS, signal).then(() => true, () => false)) ring("drift");
}
