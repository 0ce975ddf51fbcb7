/** Packets that are no ordinary requests, under policies: errors, echoes, fragments, strays, neighbour discovery. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { capture, ping } from "../lab/probes.ts";
import { frameOf, withChecksum } from "../lab/raw_frames.ts";
import { CLIENT } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import { expectPing } from "./_cluster.ts";
import type { Neighbour, Neighbourhood } from "./_neighbourhood.ts";
import { ip, sendFrames } from "./_raw_pod.ts";
import { DB, DENY_ALL, DENY_INGRESS, FRONTEND, inDefault, OUTSIDE, under } from "./_recipes.ts";

/**
 * The link to the client narrows after both ends have agreed on long segments: only the router's errors tell the pod.
 */
export async function narrow(scene: Neighbourhood): Promise<void> {
  const { lab, mesh } = scene;
  const db = scene.pod("default/db");
  const policies = {
    "default/deny": DENY_ALL,
    "default/allow": { podSelector: DB, policyTypes: ["Egress"], egress: [{ to: OUTSIDE, ports: [{ port: 80 }] }] },
  };
  await under(scene, policies, async () => {
    await scene.expect(({ from, to, protocol }) =>
      from.key === "default/db" ? to.key === "outside" && protocol === "tcp" : !inDefault(from) && !inDefault(to)
    );
    const connect = (family: 4 | 6) => mesh.connect({ netns: db.netns, to: CLIENT[family], port: 80 });
    using four = await connect(4);
    using six = await connect(6);
    await lab.router.output(["ip", "link", "set", "p-client", "mtu", "1400"]);
    await lab.client.output(["ip", "link", "set", "up0", "mtu", "1400"]);
    for (const connection of [four, six]) {
      assertEquals(await connection.exchange("x".repeat(100_000), { timeoutMs: 10_000 }), 100_000);
    }
    for (const family of [4, 6] as const) {
      assertMatch(await db.sandbox.output(["ip", "route", "get", CLIENT[family]]), /\bmtu 1400\b/);
    }
  });
  await lab.router.output(["ip", "link", "set", "p-client", "mtu", "9000"]);
  await lab.client.output(["ip", "link", "set", "up0", "mtu", "9000"]);
}

export async function playEcho(scene: Neighbourhood): Promise<void> {
  const db = scene.pod("default/db");
  const policies = {
    "default/ports": { podSelector: DB, ingress: [{ ports: [{ port: 80 }] }] },
    "default/all": { podSelector: DB, ingress: [{ from: [{ podSelector: FRONTEND }] }] },
  };
  await under(scene, policies, async () => {
    await scene.expect(({ from, to, protocol }) =>
      to.key !== "default/db" || protocol === "tcp" || from.key === "default/frontend"
    );
    for (const family of [4, 6] as const) {
      await expectPing(scene.pod("default/frontend").sandbox, db.address(family));
      await expectPing(db.node, db.address(family));
      assertEquals(await ping(scene.lab.client, db.address(family), { timeoutMs: 300 }), undefined);
    }
  });
}

/** Only the first fragment has the port. */
export async function sendFragments(scene: Neighbourhood): Promise<void> {
  const policies = {
    "default/deny": DENY_ALL,
    "default/allow-in": { podSelector: DB, ingress: [{ from: OUTSIDE, ports: [{ protocol: "UDP", port: 6379 }] }] },
    "default/allow-out": { podSelector: DB, policyTypes: ["Egress"], egress: [{ to: OUTSIDE }] },
  };
  const db = scene.pod("default/db");
  const both = ([4, 6] as const).flatMap((family) => {
    const toPod = (key: string, port: number) => ({ ...scene.neighbour(key), to: db.address(family), port });
    const out = { netns: db.netns, to: CLIENT[family], port: 6379 };
    return [toPod("outside", 6379), out, toPod("router", 6379), toPod("outside", 7000)];
  });
  const flows = both.map(({ netns, to, port }) => ({ netns, to, port, protocol: "udp", bytes: 40_000 }) as const);
  scene.mesh.serve({ name: db.key, netns: db.netns, protocol: "udp", address: db.address(4), port: 7000 });
  scene.mesh.serve({ name: db.key, netns: db.netns, protocol: "udp", address: db.address(6), port: 7000 });
  const expect = (expected: readonly boolean[]): Promise<unknown> =>
    until("the right datagrams are answered", async () => {
      const answers = await scene.mesh.probe(flows);
      assertEquals(answers.map((answer) => answer !== undefined), [...expected, ...expected]);
      return true;
    });
  await expect([true, true, true, true]);
  await under(scene, policies, async () => void await expect([true, true, false, false]));
}

/** An answer to a connection that nobody has asked for: a host that gets one resets it. */
export async function sendInvalid(scene: Neighbourhood): Promise<void> {
  const { lab } = scene;
  const db = scene.pod("default/db");
  const [, mac = ""] = /ether (\S+)/.exec(await lab.router.output(["ip", "link", "show", "p-client"])) ?? [];
  const send = (family: 4 | 6): Promise<void> =>
    sendFrames(lab.client, [strayAnswer(CLIENT[family], db.address(family), mac)], { link: "up0" });
  const allow = { podSelector: DB, ingress: [{ from: OUTSIDE, ports: [{ port: 80 }] }] };
  await under(scene, { "default/deny": DENY_INGRESS }, async () => {
    await scene.expect(({ to }) => !inDefault(to));
    await using resets = await capture(lab.client, "tcp src port 80 and dst port 443", { link: "up0" });
    for (const family of [4, 6] as const) await send(family);
    await under(scene, { "default/allow": allow }, async () => {
      await scene.expect(({ from, to, protocol }) =>
        !inDefault(to) || to === db && from.key === "outside" && protocol === "tcp"
      );
      const before = (await resets.packets(0)).length;
      for (const family of [4, 6] as const) await send(family);
      const seen = await resets.packets(2);
      assert(before === 0 && seen.length === 2 && seen.every((packet) => packet.includes("[R]")), seen.join("\n"));
    });
  });
}

/** SYN and ACK, from port 443 to the pod's port 80. */
function strayAnswer(from: string, to: string, mac: string): Uint8Array {
  const body = new Uint8Array([1, 187, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x12, 255, 255, 0, 0, 0, 0]);
  return frameOf(withChecksum({ from: ip(from), to: ip(to), protocol: 6, body }, 16), mac);
}

/** Both ends forget each other's MAC addresses, which flock had made permanent. */
export async function flushNeighbours(scene: Neighbourhood): Promise<void> {
  const { node, sandbox } = scene.pod("default/db");
  const policies = {
    "default/deny": DENY_ALL,
    "default/allow": { podSelector: DB, policyTypes: ["Ingress"], ingress: [{ from: OUTSIDE }] },
  };
  const truth = ({ from, to }: { from: Neighbour; to: Neighbour }): boolean =>
    !inDefault(from) && (!inDefault(to) || to.key === "default/db" && from.key === "outside");
  await under(scene, policies, async () => {
    await scene.expect(truth);
    for (const family of ["-4", "-6"]) {
      const flush = ["neigh", "flush", "nud", "permanent", "dev"];
      await Promise.all([
        sandbox.output(["ip", family, ...flush, "eth0"]),
        node.output(["ip", family, ...flush, sandbox.hostLink]),
      ]);
    }
    await scene.expect(truth);
  });
}
