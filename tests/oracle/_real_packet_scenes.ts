/** Random clusters on a real kernel, judged by real nft; run by real_packets_linux_test.ts. */
import { assert, assertGreater } from "@std/assert";
import fc from "fast-check";
import type { PolicyTable } from "../../src/policy/policy_table.ts";
import { renderPolicyTable } from "../../src/policy/render_policy_table.ts";
import { expectOwnNamespace } from "../lab/in_namespace.ts";
import { arbitraryPacket, type PacketDraft, packetIn } from "./arbitrary_packet.ts";
import { arbitraryWorld } from "./arbitrary_world.ts";
import { compileRaw } from "./compile_raw.ts";
import { isAllowed } from "./evaluate.ts";
import { nft, NodeRig } from "./node_rig.ts";
import type { Packet } from "./packet.ts";
import type { RawWorld } from "./raw_objects.ts";
import { identityOf, identityOfWire, wireOf } from "./wire.ts";
import { withoutRules } from "./without_rules.ts";

expectOwnNamespace();

const WORLDS = 60;
const PACKETS = 40;
/** For all, the search for the smallest failure among it. */
const PATIENCE_MS = 80_000;
/** Of packets sent so far: no two are of one flow. */
let sent = 0;
/** How many packets the API allows by a rule, and denies. */
const tally = { allowed: 0, denied: 0 };

/** By the way that the rig's routes lead, and as strangers to connection tracking: its replies are another file's. */
function asSent(world: RawWorld, packet: Packet): Packet {
  const leavesBy = world.local.find(({ addresses }) => addresses.includes(packet.destination))?.link ?? packet.leavesBy;
  return { ...packet, leavesBy, state: packet.state === "invalid" ? "invalid" : "new" };
}

interface Trial {
  readonly world: RawWorld;
  readonly table: PolicyTable;
  readonly packets: readonly Packet[];
}

/** @returns the packets that did not do as the API says */
async function differences(rig: NodeRig, { world, table, packets }: Trial): Promise<string[]> {
  await Promise.all([nft(renderPolicyTable(table)), rig.place(world.local)]);
  const sendings = packets.map((packet) => ({ cameBy: packet.cameBy, packet: wireOf(packet, sent++ % 50_000) }));
  const arrivals = await rig.exchange(sendings);
  const seen = new Set(arrivals.map(({ link, bytes }) => `${link} ${identityOf(bytes)}`));
  const closed = withoutRules(world);
  return packets.flatMap((packet, i) => {
    const expected = isAllowed(world, packet);
    if (!isAllowed(closed, packet)) tally[expected ? "allowed" : "denied"]++;
    const sending = sendings[i];
    const arrived = sending !== undefined && seen.has(`${packet.leavesBy} ${identityOfWire(sending.packet)}`);
    return arrived === expected ? [] : [`${arrived ? "arrived" : "did not arrive"}: ${JSON.stringify(packet)}`];
  });
}

/** @returns how it went, with the smallest cluster and packet that differ */
async function search(
  rig: NodeRig,
  { compile, ...options }: { compile: (world: RawWorld) => PolicyTable; endOnFailure?: boolean; seed?: number },
): Promise<fc.RunDetails<[RawWorld, PacketDraft[]]>> {
  const packets = fc.array(arbitraryPacket, { minLength: 1, maxLength: PACKETS, size: "max" });
  return await fc.check(
    fc.asyncProperty(arbitraryWorld, packets, async (world, drafts) => {
      const packets = drafts.flatMap((draft) => packetIn(world, draft) ?? []).map((each) => asSent(world, each));
      const wrong = await differences(rig, { world, table: compile(world), packets });
      if (wrong.length > 0) throw new Error(wrong.join("\n"));
    }),
    { numRuns: WORLDS, interruptAfterTimeLimit: PATIENCE_MS, markInterruptAsFailure: true, ...options },
  );
}

function withoutIngress({ pods, ...table }: PolicyTable): PolicyTable {
  return {
    ...table,
    pods: new Map([...pods].map(([link, pod]) => {
      const { egress } = pod.chains;
      return [link, { ...pod, chains: egress === undefined ? {} : { egress } }];
    })),
  };
}

Deno.test("real packets in random clusters go where the API's text lets them (NP-34, NP-51, NP-53, NP-54, NP-55, NP-57)", async (t) => {
  using rig = await NodeRig.make();
  await t.step("under the compiled table", async () => {
    const details = await search(rig, { compile: compileRaw });
    assert(!details.failed, fc.defaultReportMessage(details));
    assertGreater(tally.allowed, 30);
    assertGreater(tally.denied, 100);
  });
  await t.step("and under one that is wrong the test says so", async () => {
    const details = await search(rig, { compile: (world) => withoutIngress(compileRaw(world)), endOnFailure: true });
    assert(details.failed);
  });
});
