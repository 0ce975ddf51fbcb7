import { createBirdDriver } from "../bird/system_bird_driver.ts";
import { systemClock } from "../clock/clock.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { writeAtomically } from "../file/write_atomically.ts";
import { netnsGone } from "../host/netns_gone.ts";
import { createHostDriver } from "../host/system_host_driver.ts";
import { createIpam } from "../ipam/create_ipam.ts";
import { systemRandomBits } from "../ipam/random_bits.ts";
import { loadConnection } from "../kube/connection.ts";
import { createKubeClient } from "../kube/create_kube_client.ts";
import { createAttachmentDriver } from "../link/system_attachment_driver.ts";
import { createLogger } from "../log/logger.ts";
import { writeLinesTo } from "../log/write_lines.ts";
import { createPacketGuard } from "../nft/system_packet_guard.ts";
import {
  AGENT_SOCKET,
  CNI_CONFIG_DIR,
  CONFLIST,
  IP,
  LAST_NODE_CONFIG,
  NFT,
  RUN_DIR,
  SESSION_MARKER,
  SYSCTL_DIR,
} from "../paths/paths.ts";
import { parsePod } from "../pod/parse_pod.ts";
import { readBootId } from "../store/boot_id.ts";
import { createDiskFiles } from "../store/disk_files.ts";
import { openStateStore } from "../store/open_state_store.ts";
import { openTombstoneDir } from "../store/tombstone_dir.ts";
import { createSysctlTree } from "../sysctl/sysctl_tree.ts";
import { AddOperation } from "./add.ts";
import { Agent } from "./agent.ts";
import { AllocationLedger } from "./allocation_ledger.ts";
import { createBootMarker } from "./boot_marker.ts";
import { CheckOperation } from "./check.ts";
import { CniService } from "./cni_service.ts";
import { createConflistPlacer } from "./conflist.ts";
import { ContainerQueue } from "./container_queue.ts";
import { DelOperation } from "./del.ts";
import { GarbageCollector } from "./garbage_collector.ts";
import { LateAdds } from "./late_adds.ts";
import { listen, lockOutOthers } from "./listen.ts";
import { openNodeConfigMemory } from "./node_config_memory.ts";
import { NodeReconciler } from "./node_reconciler.ts";
import type { AgentOptions } from "./parse_agent_args.ts";
import { PodEvents } from "./pod_events.ts";
import { PodSource } from "./pod_source.ts";
import { recover } from "./recover.ts";
import { decodeNodeConfig } from "./resolve_node_config.ts";
import { RpcServer } from "./rpc_server.ts";
import { assertServing } from "./serving_status.ts";
import { SessionMonitor } from "./session_monitor.ts";
import { StatusReporter } from "./status_reporter.ts";

/**
 * The composition root: nothing else news up the agent's collaborators. Recovers state and kernel, and only then opens the socket.
 *
 * @throws when another agent lives, the state file is a newer flock's, or there is no way to the API server
 */
export async function composeAgent(
  options: AgentOptions & { env(name: string): string | undefined },
): Promise<Agent> {
  const { nodeName } = options;
  const clock = systemClock;
  const logger = createLogger(writeLinesTo(Deno.stderr), { level: "info", now: () => Date.now() });
  await lockOutOthers(RUN_DIR);

  const runner = createSystemRunner();
  const sysctls = createSysctlTree(SYSCTL_DIR);
  if (sysctls.read("ipv4/ip_forward") === undefined) {
    throw new Error(`Cannot start agent: /proc/sys/net is not mounted at "${SYSCTL_DIR}"`);
  }
  const driver = createAttachmentDriver({ runner, ip: IP, sysctls, nodePid: Deno.pid });
  const guard = createPacketGuard({ runner, nft: NFT });
  const host = createHostDriver({ runner, ip: IP, sysctls });
  const bird = createBirdDriver({ runner, clock, logger });
  const { kubeconfig } = options;
  const source = kubeconfig === undefined ? { env: options.env } : { env: options.env, kubeconfigFile: kubeconfig };
  const kube = createKubeClient({ connection: loadConnection(source), clock, logger });

  const files = createDiskFiles();
  const bootId = await readBootId({ files });
  const store = await openStateStore({ files, clock, logger, bootId, nodeName });
  const ledger = new AllocationLedger(store, createIpam({ clock, random: systemRandomBits }), clock);
  await recover({
    ...{ origin: store.origin, ledger, driver, guard, clock, logger },
    del: new DelOperation({ ledger, driver, guard, logger, addressesChanged: () => {}, drifted: () => {} }), // the first pass reads everything
    tombstones: openTombstoneDir({ clock, logger }),
  });
  const queue = new ContainerQueue();
  const lateAdds = new LateAdds(ledger, clock);

  const pods = kube.watch({ path: "/api/v1/pods", fieldSelector: `spec.nodeName=${nodeName}`, decode: parsePod });
  const nodeConfigs = kube.watch({
    path: "/apis/flock.fritzlab.net/v1alpha1/nodeconfigs",
    decode: decodeNodeConfig,
  });
  const reconciler = new NodeReconciler({
    ...{ nodeName, nodeConfigs, ledger, host, driver, guard, bird, clock, logger },
    memory: openNodeConfigMemory({ path: LAST_NODE_CONFIG, logger }),
  });
  const sessions = new SessionMonitor({ bird, marker: createBootMarker(SESSION_MARKER), logger });
  const addressesChanged = (): void => agent.addressesChanged();
  const drifted = (): void => agent.drifted();
  const events = new PodEvents(kube);
  const podSource = new PodSource(pods, kube, logger);
  const terms = reconciler.terms.bind(reconciler);
  const add = new AddOperation({
    ...{ ledger, driver, guard, lateAdds, events, logger, terms, addressesChanged, drifted },
    pods: podSource,
  });
  const del = new DelOperation({ ledger, driver, guard, logger, addressesChanged, drifted });
  const check = new CheckOperation({ ledger, driver, guard });
  const collector = new GarbageCollector({ ledger, driver, del, queue, clock, logger, netnsGone });
  const service = new CniService({
    ...{ add, del, check, collector, queue, lateAdds },
    assertServing: () => assertServing({ ...reconciler.serving, sessions: sessions.view }),
  });
  const listener = await listen(AGENT_SOCKET);
  const server = new RpcServer({ listener, handle: (request) => service.handle(request), logger });
  const reporter = new StatusReporter({ nodeName, kube, clock, logger });
  const placeConflist = createConflistPlacer({
    read: () => Deno.readTextFile(CONFLIST),
    write: async (text) => {
      await Deno.mkdir(CNI_CONFIG_DIR, { recursive: true });
      await writeAtomically(CONFLIST, { text, mode: 0o600 });
    },
  });
  const agent = new Agent({
    ...{ nodeName, nodeConfigs, kube, ledger, reconciler, sessions, collector, reporter, server, clock, logger },
    placeConflist: () => placeConflist(reconciler.config),
    close: async () => {
      await Promise.all([driver.close(), guard.close()]);
      bird.close();
    },
  });
  return agent;
}
