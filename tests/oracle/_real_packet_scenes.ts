/** Random clusters on a real kernel, judged by real nft; run by real_packets_linux_test.ts. */
import { assertGreater, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { PolicyCompiler } from "../../src/policy/policy_compiler.ts";
import type { PolicyTable } from "../../src/policy/policy_table.ts";
import { renderPolicyChanges } from "../../src/policy/render_policy_changes.ts";
import { renderPolicyTable } from "../../src/policy/render_policy_table.ts";
import { expectOwnNamespace } from "../lab/in_namespace.ts";
import { arbitraryPacket, type PacketDraft, packetIn } from "./arbitrary_packet.ts";
import { arbitraryWorld } from "./arbitrary_world.ts";
import { CHOICE_BITS, mixWorlds, moveCompiler } from "./change_world.ts";
import { compileRaw, parseWorld } from "./compile_raw.ts";
import { isAllowed } from "./evaluate.ts";
import { nft, NodeRig } from "./node_rig.ts";
import type { Packet } from "./packet.ts";
import type { RawWorld } from "./raw_objects.ts";
import { identityOf, identityOfWire, wireOf } from "./wire.ts";
import { withoutRules } from "./without_rules.ts";

expectOwnNamespace();

const WORLDS = 60;
const PACKETS = 40;
/** For each step, the search for the smallest failure among it. */
const PATIENCE = { interruptAfterTimeLimit: 50_000, markInterruptAsFailure: true } as const;
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
  readonly packets: readonly Packet[];
}

/** @throws naming the packets that did not do as the API says */
async function judge(rig: NodeRig, { world, packets }: Trial): Promise<void> {
  const sendings = packets.map((packet) => ({ cameBy: packet.cameBy, packet: wireOf(packet, sent++ % 50_000) }));
  const arrivals = await rig.exchange(sendings);
  const seen = new Set(arrivals.map(({ link, bytes }) => `${link} ${identityOf(bytes)}`));
  const closed = withoutRules(world);
  const wrong = packets.flatMap((packet, i) => {
    const expected = isAllowed(world, packet);
    if (!isAllowed(closed, packet)) tally[expected ? "allowed" : "denied"]++;
    const sending = sendings[i];
    const arrived = sending !== undefined && seen.has(`${packet.leavesBy} ${identityOfWire(sending.packet)}`);
    return arrived === expected ? [] : [`${arrived ? "arrived" : "did not arrive"}: ${JSON.stringify(packet)}`];
  });
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
}

const drafts = fc.array(arbitraryPacket, { minLength: 1, maxLength: PACKETS, size: "max" });

function packetsIn(world: RawWorld, drafts: readonly PacketDraft[]): Packet[] {
  return drafts.flatMap((draft) => packetIn(world, draft) ?? []).map((each) => asSent(world, each));
}

/** @throws with the smallest cluster and packet that differ */
async function expectAgreement(
  rig: NodeRig,
  { compile, isShrunk = true }: { compile: (world: RawWorld) => PolicyTable; isShrunk?: boolean },
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(arbitraryWorld, drafts, async (world, drafts) => {
      await Promise.all([nft(renderPolicyTable(compile(world))), rig.place(world.local)]);
      await judge(rig, { world, packets: packetsIn(world, drafts) });
    }),
    { numRuns: WORLDS, endOnFailure: !isShrunk, ...PATIENCE },
  );
}

/** @throws likewise, when packets fare otherwise after any transaction of a change */
async function expectAgreementAfterChanges(rig: NodeRig): Promise<void> {
  const choices = fc.nat(2 ** CHOICE_BITS - 1);
  await fc.assert(
    fc.asyncProperty(arbitraryWorld, arbitraryWorld, choices, drafts, async (first, second, choice, drafts) => {
      const world = mixWorlds(first, second, choice);
      const [before, after] = [parseWorld(first), parseWorld(world)];
      const compiler = new PolicyCompiler();
      moveCompiler(compiler, { before, after: before });
      compiler.takeChanges();
      await Promise.all([nft(renderPolicyTable(compiler.table)), rig.place(world.local)]);
      moveCompiler(compiler, { before, after });
      const changes = compiler.takeChanges();
      const transactions = changes === undefined ? [] : renderPolicyChanges(changes);
      for (const commands of transactions) {
        await nft(commands.join("; ") + "\n");
        await judge(rig, { world, packets: packetsIn(world, drafts) });
      }
    }),
    { numRuns: WORLDS, ...PATIENCE },
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
    await expectAgreement(rig, { compile: compileRaw });
    assertGreater(tally.allowed, 30);
    assertGreater(tally.denied, 100);
  });
  await t.step("and under one that is wrong the test says so", async () => {
    const compile = (world: RawWorld): PolicyTable => withoutIngress(compileRaw(world));
    const failure = await assertRejects(
      () => expectAgreement(rig, { compile, isShrunk: false }),
      Error,
      "failed after",
    );
    assertStringIncludes(String(failure.cause), "arrived: ");
  });
  await t.step("after the first transaction of a change as after the last", () => expectAgreementAfterChanges(rig));
});
