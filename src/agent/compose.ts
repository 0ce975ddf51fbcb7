import process from "node:process";
import config from "../../deno.json" with { type: "json" };
import { PasswordFiles } from "../bird/password_files.ts";
import { createBirdDriver } from "../bird/system_bird_driver.ts";
import { systemClock } from "../clock/clock.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { claimDirectory, isLink } from "../file/claim_directory.ts";
import { writeAtomically } from "../file/write_atomically.ts";
import { netnsAt } from "../host/netns_at.ts";
import { netnsGone } from "../host/netns_gone.ts";
import { createHostDriver } from "../host/system_host_driver.ts";
import { createIpam } from "../ipam/create_ipam.ts";
import { systemRandomBits } from "../ipam/random_bits.ts";
import { loadConnection } from "../kube/connection.ts";
import { createKubeClient } from "../kube/create_kube_client.ts";
import { createAttachmentDriver } from "../link/system_attachment_driver.ts";
import { createLogger } from "../log/logger.ts";
import { writeLinesTo } from "../log/write_lines.ts";
import { GUARD_TABLES } from "../nft/guard_model.ts";
import { createPacketGuard } from "../nft/system_packet_guard.ts";
import { createTextTable } from "../nft/system_text_table.ts";
import { TransactionMark } from "../nft/transaction_mark.ts";
import {
  AGENT_SOCKET,
  CNI_CONFIG_DIR,
  CONFLIST,
  IP,
  LAST_NODE_CONFIG,
  LAST_POLICIES,
  LAST_PREFIXES,
  NFT,
  POLICY_NAMES,
  RUN_DIR,
  SESSION_MARKER,
  STATE_DIR,
  SYSCTL_DIR,
  TOMBSTONE_DIR,
} from "../paths/paths.ts";
import { parsePod } from "../pod/parse_pod.ts";
import { parseNamespace } from "../policy/parse_namespace.ts";
import { parseNetworkPolicy } from "../policy/parse_network_policy.ts";
import { parsePolicyPod } from "../policy/parse_policy_pod.ts";
import { POLICY_TABLE } from "../policy/names.ts";
import { MetricRegistry } from "../prometheus/metric_registry.ts";
import { createRouteDriver } from "../route/system_route_driver.ts";
import { SNAPSHOT_VERB } from "../snapshot/agent_snapshot.ts";
import { readBootId } from "../store/boot_id.ts";
import { createDiskFiles } from "../store/disk_files.ts";
import { openStateStore } from "../store/open_state_store.ts";
import { openTombstoneDir } from "../store/tombstone_dir.ts";
import { HeldSysctls } from "../sysctl/held_sysctls.ts";
import { createSysctlTree } from "../sysctl/sysctl_tree.ts";
import { Agent } from "./agent.ts";
import { AnycastLog } from "./anycast_log.ts";
import { ApiOutage } from "./api_outage.ts";
import { assembleNode } from "./assemble_node.ts";
import { assemblePages } from "./assemble_pages.ts";
import { createBootMarker } from "./boot_marker.ts";
import { createConflistPlacer } from "./conflist.ts";
import { type TableWriter, watchDrift } from "./drift_watch.ts";
import { DropMeter } from "./drop_meter.ts";
import { FlipMeter } from "./flip_meter.ts";
import { PATIENCE } from "./garbage_collector.ts";
import { addInstruments } from "./instruments.ts";
import { Journal } from "./journal.ts";
import { listen, lockOutOthers } from "./listen.ts";
import type { MetricFacts, ProcessFacts } from "./metric_facts.ts";
import { openNodeConfigMemory } from "./node_config_memory.ts";
import { OperationMeter } from "./operation_meter.ts";
import { besidesOwn } from "./own_verbs.ts";
import { pageEndpoints } from "./page_endpoints.ts";
import { openPolicyMemory } from "./policy_memory.ts";
import { openPolicyNameMemory } from "./policy_name_memory.ts";
import { PolicySources } from "./policy_sources.ts";
import { openPrefixMemory } from "./prefix_memory.ts";
import type { AgentOptions } from "./parse_agent_args.ts";
import { decodeNodeConfig } from "./resolve_node_config.ts";
import { RepairNews } from "./repair_news.ts";
import { RpcServer } from "./rpc_server.ts";
import { PING_VERB } from "./self_call.ts";
import { SettingWatch } from "./setting_watch.ts";
import { StateMeter } from "./state_meter.ts";
import { StatusReporter } from "./status_reporter.ts";
import { takeSnapshot } from "./take_snapshot.ts";
import { WatchBook } from "./watch_book.ts";

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
  const startedAt = clock.wall();
  const log = createLogger(writeLinesTo(Deno.stderr), { level: "info", now: () => Date.now() });
  const journal = new Journal(log, clock.wall);
  const { logger } = journal;
  for (const directory of [RUN_DIR, TOMBSTONE_DIR, STATE_DIR]) claimDirectory(directory);
  await lockOutOthers(RUN_DIR);

  const runner = createSystemRunner();
  const sysctls = createSysctlTree(SYSCTL_DIR);
  if (sysctls.read("ipv4/ip_forward") === undefined) {
    throw new Error(`Cannot start agent: /proc/sys/net is not mounted at "${SYSCTL_DIR}"`);
  }
  const driver = createAttachmentDriver({ runner, ip: IP, sysctls, nodePid: Deno.pid, netnsAt });
  const nonce = crypto.randomUUID().slice(0, 8);
  const mark = new TransactionMark(nonce, GUARD_TABLES);
  const guard = createPacketGuard({ runner, nft: NFT, mark });
  const policyMark = new TransactionMark(nonce, [POLICY_TABLE]);
  const policyTable = createTextTable({ runner, nft: NFT, table: POLICY_TABLE, mark: policyMark });
  const guardTables = GUARD_TABLES.map((table) => createTextTable({ runner, nft: NFT, table }));
  const host = createHostDriver({ runner, ip: IP, sysctls });
  const bird = createBirdDriver({ runner, clock, logger });
  const passwords = new PasswordFiles();
  const routes = createRouteDriver({ runner, ip: IP, logger });
  const { kubeconfig } = options;
  const source = kubeconfig === undefined ? { env: options.env } : { env: options.env, kubeconfigFile: kubeconfig };
  const watches = new WatchBook(createKubeClient({ connection: loadConnection(source), clock, logger }));
  const { kube } = watches;

  const files = createDiskFiles();
  const bootId = await readBootId({ files });
  const registry = new MetricRegistry<MetricFacts>();
  const instruments = addInstruments(registry);
  const opened = await openStateStore({ files, clock, logger, bootId, nodeName });
  const store = new StateMeter(opened, { took: instruments.stateWrites, clock });
  const pods = kube.watch({ path: "/api/v1/pods", fieldSelector: `spec.nodeName=${nodeName}`, decode: parsePod });
  const nodeConfigs = kube.watch({
    path: "/apis/flock.fritzlab.net/v1alpha1/nodeconfigs",
    decode: (raw) => decodeNodeConfig(raw, nodeName),
  });
  const decode = { policy: parseNetworkPolicy, namespace: parseNamespace, pod: parsePolicyPod };
  const sources = new PolicySources({ kube, clock, decode });
  const flips = new FlipMeter({ pods, took: instruments.flips, clock });
  const operations = new OperationMeter({ took: instruments.operations, clock });
  const drops = new DropMeter({ tables: [...guardTables, policyTable], clock, logger });
  const ipam = createIpam({ clock, random: systemRandomBits });
  let agent: Agent | undefined = undefined;
  const node = assembleNode({
    ...{
      nodeName,
      store,
      driver,
      guard,
      host,
      bird,
      passwords,
      routes,
      kube,
      pods,
      nodeConfigs,
      sources,
      policyTable,
      netnsAt,
      netnsGone,
      clock,
      logger,
    },
    ipam,
    patience: PATIENCE,
    memory: openNodeConfigMemory({ path: LAST_NODE_CONFIG, logger }),
    prefixes: openPrefixMemory({ path: LAST_PREFIXES, logger }),
    policyMemory: openPolicyMemory({ path: LAST_POLICIES, logger }),
    policyNames: openPolicyNameMemory({ path: POLICY_NAMES, logger }),
    marker: createBootMarker(SESSION_MARKER),
    tombstones: openTombstoneDir({ clock, logger }),
    // While there is no agent yet, its first pass, which reads everything, is still to come.
    addressesChanged: () => agent?.addressesChanged(),
    drifted: () => agent?.drifted(),
  });
  await node.recover();
  const { ledger, reconciler } = node;
  node.policies.onProgrammed((seconds) => instruments.policies.observe({}, seconds));
  const held = new HeldSysctls(SYSCTL_DIR);
  const settings = new SettingWatch({
    ...{ ledger, node: reconciler, clock },
    read: (name) => held.read(name),
    letGo: () => held.letGo(),
  });
  const writers: TableWriter[] = [
    { mark, ticks: { sure: "guard", unsure: "guard" }, sign: () => guard.sign() },
    { mark: policyMark, ticks: { sure: "policies", unsure: "policies?" }, sign: () => policyTable.sign() },
  ];
  const drift = { ip: IP, nft: NFT, source: runner, node: reconciler, routes, writers };
  const listener = await listen(AGENT_SOCKET);
  // The notes of those who came before the socket: whatever is added from now on is younger, whichever way the wall clock was set.
  await node.tombstones.replay();
  const reporter = new StatusReporter({ nodeName, kube, clock, logger });
  const outage = new ApiOutage({ watched: nodeConfigs, clock, tell: (message) => reporter.tellOutage(message) });
  const repairNews = new RepairNews({
    journal,
    generation: () => reconciler.ready ? reconciler.config?.generation : undefined,
    tell: (message) => reporter.tellRepairs(message),
  });
  const known = { ...node, nodeName, startedAt, ipam, pods, sources, reporter, watches, state: store, journal, clock };
  const handle = besidesOwn(
    { [SNAPSHOT_VERB]: () => takeSnapshot(known), [PING_VERB]: () => undefined },
    operations.measure((request, length) => node.service.handle(request, length)),
  );
  const server = new RpcServer({ listener, handle, logger });
  const placeConflist = createConflistPlacer({
    read: async () => isLink(CONFLIST) ? undefined : await Deno.readTextFile(CONFLIST),
    write: async (text) => {
      await Deno.mkdir(CNI_CONFIG_DIR, { recursive: true });
      await writeAtomically(CONFLIST, { text, mode: 0o600 });
    },
  });
  const anycastLog = new AnycastLog(logger);
  const pages = assemblePages({
    ...{ registry, drops, logger },
    facts: () =>
      agent && {
        ...{ ...node, version: config.version, loops: agent.loops, ipam, operations, state: store, drops, watches },
        ...{ journal, clock, process: readProcess(startedAt) },
      },
  });
  agent = new Agent({
    ...{ ...node, nodeName, nodeConfigs, pods, kube, reporter, outage, repairNews, server, clock, logger },
    placePages: () => pages.listenAt(pageEndpoints(reconciler.config, reconciler.network)),
    announced: (view) => {
      flips.told(view);
      anycastLog.told(view);
    },
    setLogLevel: log.setLevel,
    placeConflist: () => placeConflist(reconciler.config),
    watchDrift: (listener) => watchDrift({ ...drift, settings, ledger, clock, logger }, listener),
    close: async () => {
      sources.stop();
      pages.stop();
      await Promise.all([driver.close(), guard.close(), policyTable.close(), routes.close()]);
      bird.close();
    },
  });
  return agent;
}

/** @param startedAt milliseconds since the epoch */
function readProcess(startedAt: number): ProcessFacts {
  const { user, system } = process.cpuUsage(); // microseconds
  const { rss, heapUsed } = Deno.memoryUsage();
  return { cpuSeconds: (user + system) / 1e6, residentBytes: rss, heapBytes: heapUsed, startedAt: startedAt / 1000 };
}
