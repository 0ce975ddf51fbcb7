/** A node of the lab with BIRD, the driver that configures it, and what BIRD's peer saw. */
import { resolveBirdConfig } from "../bgp/resolve_bird_config.ts";
import type { BirdConfig } from "../bgp/bird_config.ts";
import { ip, prefix } from "../bgp/testdata/cases.ts";
import { type Clock, systemClock } from "../clock/clock.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import type { Family } from "../ip/address.ts";
import { createLogger } from "../log/logger.ts";
import { BIRD } from "../paths/paths.ts";
import { createLab, type Lab } from "../../tests/lab/lab.ts";
import type { LabNode } from "../../tests/lab/node.ts";
import type { Daemon } from "../../tests/lab/process.ts";
import { ROUTER, ROUTER_ASN } from "../../tests/lab/topology.ts";
import { until } from "../../tests/lab/until.ts";
import type { BirdDriver } from "./bird_driver.ts";
import { createBirdDriver } from "./system_bird_driver.ts";

export const BOOTSTRAP = new URL("../../deploy/bird.conf", import.meta.url).pathname;

export interface BirdScene extends AsyncDisposable {
  readonly lab: Lab;
  readonly node: LabNode;
  readonly driver: BirdDriver;
  /** What the driver writes; the node has the lab's directory at the same path. */
  readonly configPath: string;
  /** What resolveBirdConfig() makes of the node's NodeConfig. */
  readonly config: BirdConfig;
  /** How long the driver has slept between reloads, in milliseconds, one for each time. */
  readonly pauses: readonly number[];
  /** Starts BIRD. Resolves when it answers. @param file default: the driver's. @param words more of its command line */
  startBird(file?: string, words?: readonly string[]): Promise<Daemon>;
  /** Waits until every session is up. */
  established(): Promise<void>;
  /** @returns how often BIRD has reconfigured itself since the scene began */
  reloads(): Promise<number>;
}

/** A new lab with one node; BIRD runs only after `startBird`. */
export async function setScene(families: readonly Family[] = [4, 6]): Promise<BirdScene> {
  const lab = await createLab({ api: "none", nodes: [families] });
  const node = lab.node("node-a");
  const [configPath, socketPath] = [`${lab.dir}/bird.conf`, `${lab.dir}/bird.ctl`];
  const pauses: number[] = [];
  const logger = createLogger(() => {}, { level: "error", now: () => 0 });
  const driver = createBirdDriver({
    runner: createSystemRunner(),
    clock: watched(pauses),
    logger,
    configPath,
    socketPath,
  });
  return {
    lab,
    node,
    driver,
    configPath,
    config: configOf(node),
    pauses,
    startBird: async (file = configPath, words = []) => {
      const daemon = await node.spawn("bird", [
        BIRD,
        "-f",
        "-c",
        file,
        "-s",
        socketPath,
        "-P",
        `${lab.dir}/bird.pid`,
        ...words,
      ]);
      const status = ["birdc", "-s", socketPath, "show", "status"];
      await until("BIRD answers", async () => (await node.exec(status)).code === 0);
      return daemon;
    },
    established: async () => {
      await until("every session is up", async () => {
        const sessions = await driver.sessions();
        return sessions.length > 0 && sessions.every(({ established }) => established);
      });
    },
    reloads: async () => (await node.readLog("bird")).split("\n").filter((line) => / Reconfigured$/.test(line)).length,
    [Symbol.asyncDispose]: async () => {
      driver.close();
      await lab[Symbol.asyncDispose]();
    },
  };
}

/** What the router counts of its session with an address of the node. */
export interface RouterView {
  /** The node's TCP port: another one later is another session. */
  readonly port: number;
  /** UPDATE messages that came over it. */
  readonly updates: number;
  readonly routerId: string;
}

/** @returns what the router counts; undefined while the node has not called */
export async function routerView({ lab, node }: BirdScene, family: Family): Promise<RouterView | undefined> {
  const neighbors = JSON.parse(await lab.router.vtysh("show bgp neighbors json"));
  const neighbor = neighbors[node.spec.addresses[family] ?? ""];
  return neighbor && {
    port: Number(neighbor.portForeign),
    updates: Number(neighbor.messageStats.updatesRecv),
    routerId: String(neighbor.remoteRouterId),
  };
}

/** Deadlines of questions are no pauses: those are all longer. */
function watched(pauses: number[]): Clock {
  return {
    ...systemClock,
    sleep: (ms, signal) => {
      if (ms <= 20) pauses.push(ms);
      return systemClock.sleep(ms, signal);
    },
  };
}

function configOf({ spec }: LabNode): BirdConfig {
  const peers = spec.families.map((family) => ({ address: ip(ROUTER[family]), asn: ROUTER_ASN }));
  const addresses = spec.families.map((family) => ({
    address: ip(spec.addresses[family] ?? ""),
    length: family === 4 ? 24 : 64,
    permanent: true,
    scope: "global" as const,
  }));
  return resolveBirdConfig({
    config: {
      cidr6: spec.families.includes(6) ? [prefix(spec.cidr6)] : [],
      cidr4: spec.families.includes(4) ? [prefix(spec.cidr4)] : [],
      bgp: { asn: spec.asn, peers },
    },
    nodeName: spec.name,
    network: { addresses },
    liveAddresses: [],
    anycast: [],
  });
}
