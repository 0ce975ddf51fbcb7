import type { BirdDriver } from "../bird/bird_driver.ts";
import type { Clock } from "../clock/clock.ts";
import type { HostDriver } from "../host/host_driver.ts";
import type { Ipam } from "../ipam/ipam.ts";
import type { KubeClient, Watched } from "../kube/kube_client.ts";
import type { AttachmentDriver } from "../link/attachment_driver.ts";
import type { Logger } from "../log/logger.ts";
import type { PacketGuard } from "../nft/packet_guard.ts";
import type { TextTable } from "../nft/text_table.ts";
import type { Pod } from "../pod/pod.ts";
import type { StateStore } from "../store/state.ts";
import { type AddDependencies, AddOperation } from "./add.ts";
import { AllocationLedger } from "./allocation_ledger.ts";
import { Announcer, type AnnouncerDependencies } from "./announcer.ts";
import { CheckOperation } from "./check.ts";
import { ClaimInquiry } from "./claim_inquiry.ts";
import { ClaimReconciler } from "./claim_reconciler.ts";
import { CniService } from "./cni_service.ts";
import { ContainerQueue } from "./container_queue.ts";
import { DelOperation } from "./del.ts";
import { GarbageCollector, type GarbageCollectorDependencies, type Patience } from "./garbage_collector.ts";
import { LateAdds } from "./late_adds.ts";
import { LinkRestorer } from "./link_restorer.ts";
import type { RouteDriver } from "../route/route_driver.ts";
import type { NodeConfigMemory } from "./node_config_memory.ts";
import { NodeReconciler } from "./node_reconciler.ts";
import { PodEvents } from "./pod_events.ts";
import { PodRequest } from "./pod_request.ts";
import { PodSource } from "./pod_source.ts";
import { PolicyIsolation } from "./policy_isolation.ts";
import type { PolicyMemory } from "./policy_memory.ts";
import { PolicyNameKeeper, type PolicyNameKeeperDependencies } from "./policy_name_keeper.ts";
import { PolicyNamespaces } from "./policy_namespaces.ts";
import { PolicyReconciler, type PolicyReconcilerDependencies } from "./policy_reconciler.ts";
import { recover } from "./recover.ts";
import { LastRequests } from "./last_requests.ts";
import type { NodeConfigReading } from "./resolve_node_config.ts";
import { assertServing } from "./serving_status.ts";
import { SessionMonitor, type SessionMonitorDependencies } from "./session_monitor.ts";
import { SessionTrial } from "./session_trial.ts";
import type { PrefixMemory } from "./prefix_memory.ts";
import { TombstoneReplay, type TombstoneReplayDependencies } from "./tombstone_replay.ts";

/** Everything of the world that a node's agent touches. */
export interface NodeDependencies {
  readonly nodeName: string;
  readonly store: StateStore;
  readonly ipam: Ipam;
  readonly driver: AttachmentDriver;
  readonly guard: PacketGuard;
  readonly host: HostDriver;
  readonly bird: BirdDriver;
  /** Of BGP sessions. */
  readonly passwords: AnnouncerDependencies["passwords"];
  readonly routes: RouteDriver;
  readonly kube: KubeClient;
  /** The pods of this node. */
  readonly pods: Watched<Pod>;
  readonly nodeConfigs: Watched<NodeConfigReading>;
  /** NetworkPolicies, and the cluster that they are about. */
  readonly sources: PolicyReconcilerDependencies["sources"];
  /** The table that policies are compiled to. */
  readonly policyTable: TextTable;
  readonly policyMemory: PolicyMemory;
  readonly policyNames: PolicyNameKeeperDependencies["memory"];
  readonly memory: NodeConfigMemory;
  readonly prefixes: PrefixMemory;
  readonly marker: SessionMonitorDependencies["marker"];
  readonly tombstones: TombstoneReplayDependencies["tombstones"];
  readonly netnsAt: AddDependencies["netnsAt"];
  readonly netnsGone: GarbageCollectorDependencies["netnsGone"];
  readonly patience: Patience;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A pod came or went. */
  addressesChanged(): void;
  /** Somebody else changed the kernel. */
  drifted(): void;
}

/** What decides on a node; who calls it when is left to the agent. */
export interface NodeParts {
  readonly ledger: AllocationLedger;
  readonly reconciler: NodeReconciler;
  readonly sessions: SessionMonitor;
  readonly tombstones: TombstoneReplay;
  readonly collector: GarbageCollector;
  readonly claims: ClaimReconciler;
  readonly restorer: LinkRestorer;
  readonly policies: PolicyReconciler;
  readonly policyNames: PolicyNameKeeper;
  readonly service: CniService;
  readonly lastRequests: LastRequests;
  /** To be awaited before anything else is asked of them. */
  recover(): Promise<void>;
}

/** Puts the deciding parts together; does nothing yet but read the NodeConfig that was remembered. */
export function assembleNode(deps: NodeDependencies): NodeParts {
  const { store, driver, guard, clock, logger, sources, policyTable: table } = deps;
  const ledger = new AllocationLedger(store, deps.ipam, clock);
  const queue = new ContainerQueue();
  const restorer = new LinkRestorer({ ...deps, ledger, queue });
  const trial = new SessionTrial(deps);
  const announcer = new Announcer({ ...deps, ledger, trial });
  const reconciler = new NodeReconciler({ ...deps, ledger, restorer, announcer });
  const sessions = new SessionMonitor({ ...deps, trial });
  const lateAdds = new LateAdds(ledger, clock);
  const policies = new PolicyReconciler({ ...deps, ledger, table });
  const namespaces = new PolicyNamespaces({ sources, memory: deps.policyMemory, logger });
  const isolation = new PolicyIsolation({ reconciler: policies, namespaces, table, clock });
  const del = new DelOperation({ ...deps, ledger, isolation });
  const events = new PodEvents(deps.kube);
  const inquiry = new ClaimInquiry(deps.kube);
  const lastRequests = new LastRequests();
  const add = new AddOperation({
    ...{ ...deps, ledger, isolation, lateAdds, events },
    pods: new PodSource(deps.pods, deps.kube, logger),
    podRequest: new PodRequest({ ledger, inquiry, del, queue, events, logger, wall: clock.wall }),
    terms: () => reconciler.terms(),
  });
  const tombstones = new TombstoneReplay({ ...deps, ledger, del, queue });
  const check = new CheckOperation({ ledger, driver, guard, isolation });
  const collector = new GarbageCollector({ ...deps, ledger, del, queue });
  return {
    ...{ ledger, reconciler, sessions, tombstones, collector, restorer, policies, lastRequests },
    policyNames: new PolicyNameKeeper({ policies, memory: deps.policyNames, clock }),
    claims: new ClaimReconciler({
      ...{ ...deps, ledger, queue, events, inquiry },
      terms: () => reconciler.termsNow,
      announce: () => reconciler.announce(),
    }),
    service: new CniService({
      ...{ add, del, check, collector, queue, lateAdds, events, lastRequests, clock, logger },
      assertServing: async () => {
        await reconciler.restarted();
        assertServing({ ...reconciler.serving, sessions: sessions.view });
      },
    }),
    recover: () => recover({ ...deps, origin: store.origin, ledger, del, tombstones }),
  };
}
