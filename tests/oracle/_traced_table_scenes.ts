/** Random clusters' tables, loaded and listed by the real nft, followed packet by packet; run by traced_table_linux_test.ts. */
import { assertEquals, assertGreater } from "@std/assert";
import fc from "fast-check";
import { expectSuccess } from "../../src/exec/command_runner.ts";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { NFT } from "../../src/paths/paths.ts";
import { renderPolicyTable } from "../../src/policy/render_policy_table.ts";
import { packetOf } from "../../src/trace/packet.ts";
import { parseRuleset } from "../../src/trace/parse_ruleset.ts";
import { passTable } from "./pass_table.ts";
import type { Ruleset } from "../../src/trace/ruleset.ts";
import { expectOwnNamespace } from "../lab/in_namespace.ts";
import { arbitraryPacket, packetIn } from "./arbitrary_packet.ts";
import { arbitraryWorld } from "./arbitrary_world.ts";
import { compileRaw } from "./compile_raw.ts";
import { isAllowed } from "./evaluate.ts";
import { nft } from "./node_rig.ts";
import { NODE, type Packet } from "./packet.ts";
import { addressOf } from "./wire.ts";
import { withoutRules } from "./without_rules.ts";

expectOwnNamespace();

const WORLDS = 80;
const PACKETS = 40;
const LIST = [NFT, "-j", "list", "table", "inet", "flock-policy"] as const;

async function listed(): Promise<Ruleset> {
  return parseRuleset(expectSuccess(LIST, await createSystemRunner().run(LIST)).stdout);
}

function passes(ruleset: Ruleset, { cameBy, source, destination, port, protocol, ...rest }: Packet): boolean {
  const packet = packetOf({
    ...rest,
    protocol,
    cameBy: cameBy === NODE ? undefined : cameBy,
    source: addressOf(source),
    destination: addressOf(destination),
    ...(protocol === "icmp" || protocol === "other" ? {} : { port }),
  });
  const found = passTable(ruleset, { hook: "postrouting", packet });
  assertEquals(found.filter(({ outcome }) => outcome === "undecided"), []);
  return found.every(({ outcome }) => outcome === "accept");
}

Deno.test("a trace lets pass what the API's text allows, and says no to the rest (NP-34, NP-51, NP-53)", async () => {
  const drafts = fc.array(arbitraryPacket, { minLength: 1, maxLength: PACKETS, size: "max" });
  const tally = { allowed: 0, denied: 0 };
  const judged = fc.asyncProperty(arbitraryWorld, drafts, async (world, some) => {
    await nft(renderPolicyTable(compileRaw(world)));
    const [ruleset, closed] = [await listed(), withoutRules(world)];
    for (const packet of some.flatMap((draft) => packetIn(world, draft) ?? [])) {
      const expected = isAllowed(world, packet);
      assertEquals(passes(ruleset, packet), expected, JSON.stringify(packet));
      if (!isAllowed(closed, packet)) tally[expected ? "allowed" : "denied"]++;
    }
  });
  await fc.assert(judged, { numRuns: WORLDS });
  assertGreater(tally.allowed, 40);
  assertGreater(tally.denied, 100);
});
