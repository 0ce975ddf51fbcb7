/** The lab's cables: each a veth pair between the router and a place. */
import { type CommandRunner, expectSuccess } from "../../src/exec/command_runner.ts";
import type { LabNode } from "./node.ts";
import type { Place } from "./place.ts";
import {
  CLIENT_UPLINK,
  CONTROL_PLANE_UPLINK,
  type NodeSpec,
  renderBridgeCable,
  renderRouterLinks,
  renderUplink,
  type Uplink,
} from "./topology.ts";
import { until } from "./until.ts";

/** The old cable goes with the network that its other end was in. */
export async function replug(
  runner: CommandRunner,
  { router, place, spec, mtu }: { router: Place; place: Place; spec: NodeSpec; mtu: number },
): Promise<void> {
  const port = `p-${place.name}`;
  await until(`${port} is gone`, async () => (await router.exec(["ip", "link", "show", port])).code !== 0);
  await batch(runner, router, renderBridgeCable({ port, pid: place.pid }, mtu));
  await batch(runner, place, renderUplink(spec));
}

/** One `ip` for the router, which makes all cables, then one for each place, which sets up its end. */
export async function wire(
  runner: CommandRunner,
  places: { router: Place; controlPlane: Place; client: Place; nodes: readonly LabNode[]; mtu: number },
): Promise<void> {
  const { router, controlPlane, client, nodes, mtu } = places;
  const onBridge = [controlPlane, ...nodes].map(({ name, pid }) => ({ port: `p-${name}`, pid }));
  await batch(runner, router, renderRouterLinks({ onBridge, client: { port: "p-client", pid: client.pid } }, mtu));
  await Promise.all([
    batch(runner, controlPlane, renderUplink(CONTROL_PLANE_UPLINK)),
    batch(runner, client, renderUplink(CLIENT_UPLINK)),
    ...nodes.map((node) => batch(runner, node, renderUplink(node.spec satisfies Uplink))),
  ]);
}

/** In the place's network but the machine's pid namespace: the lines name other places by their pids. */
async function batch(runner: CommandRunner, place: Place, stdin: string): Promise<void> {
  const argv = ["/usr/bin/nsenter", "-t", `${place.pid}`, "-n", "--", "/usr/sbin/ip", "-batch", "-"] as const;
  expectSuccess(argv, await runner.run(argv, { stdin }));
}
