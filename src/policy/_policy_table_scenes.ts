/** The tables and the changes of tables, judged and kept by the real nft. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { expectOwnNamespace } from "../../tests/lab/in_namespace.ts";
import type { Conversation } from "../exec/command_runner.ts";
import { createSystemRunner } from "../exec/system_runner.ts";
import { compilePolicyTable } from "./testdata/compile_policy_table.ts";
import { PolicyCompiler } from "./policy_compiler.ts";
import { renderPolicyChanges } from "./render_policy_changes.ts";
import { renderPolicyTable } from "./render_policy_table.ts";
import { worldOf } from "./testdata/_policy_fixture.ts";
import { ChangingWorld, policyEvents } from "./testdata/_policy_events.ts";
import { GOLDEN_WORLDS } from "./testdata/worlds.ts";

expectOwnNamespace();
const NFT = "/usr/sbin/nft";
const runner = createSystemRunner();

async function nft(args: readonly string[], stdin = ""): Promise<string> {
  const { code, stdout, stderr } = await runner.run([NFT, ...args], { stdin });
  assertEquals([code, stderr], [0, ""], stdin);
  return stdout;
}

/**
 * What the kernel has in a table, without what differs from one making to the next: handles, order, and the table's
 * name.
 */
async function contents(table: string): Promise<Record<string, unknown>> {
  const list: { nftables: Record<string, Record<string, unknown>>[] } = JSON.parse(
    (await nft(["-j", "list", "table", "inet", table])).replaceAll(table, "TABLE"),
  );
  const found = new Map<string, unknown>();
  for (const [kind = "", object = {}] of list.nftables.flatMap(Object.entries<Record<string, unknown>>)) {
    const { handle: _, elem, ...rest } = object;
    const key = `${kind} ${kind === "rule" ? rest["chain"] : rest["name"]}`;
    const elements = Array.isArray(elem) ? { elem: elem.map((each) => JSON.stringify(each)).sort() } : {};
    const known = found.get(key);
    if (kind === "rule") found.set(key, [...(Array.isArray(known) ? known : []), rest["expr"]]);
    else if (kind !== "metainfo") found.set(key, { ...rest, ...elements });
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function withConversation(body: (tell: (line: string) => Promise<string>) => Promise<void>): Promise<void> {
  const mark = (sequence: number): string => `flockmark${sequence}`;
  const conversation: Conversation = runner.converse({
    argv: [NFT, "-i"],
    markerLine: mark,
    markerText: (sequence) => `${mark(sequence)}\n${" ".repeat(mark(sequence).length)}^\n`,
    timeoutMs: 20_000,
  });
  try {
    await body(async (line) => (await conversation.send([line])).split("\n").slice(0, -2).join("\n"));
  } finally {
    await conversation.close();
  }
}

for (const [name, fields] of Object.entries(GOLDEN_WORLDS)) {
  Deno.test(`nft takes the golden table ${name}, also in place of another`, async () => {
    const golden = await Deno.readTextFile(new URL(`testdata/${name}.nft`, import.meta.url));
    assert(golden === renderPolicyTable(compilePolicyTable(worldOf(fields))), "the golden file is another's");
    await nft(["-c", "-f", "-"], golden);
    for (const _ of ["first", "again"]) await nft(["-f", "-"], golden);
    const chains = (text: string): number => text.match(/chain /g)?.length ?? 0;
    assertEquals(chains(await nft(["list", "table", "inet", "flock-policy"])), chains(golden));
  });
}

Deno.test("the kernel's table is the same after changes one by one as after one replacement, whatever the events", async () => {
  await withConversation(async (tell) => {
    const sequence = fc.array(policyEvents, { minLength: 40, maxLength: 40, size: "max" });
    for (const events of fc.sample(sequence, { numRuns: 6, seed: 6 })) {
      const [world, compiler] = [new ChangingWorld(), new PolicyCompiler()];
      await nft(["-f", "-"], renderPolicyTable(compiler.table));
      for (const [index, event] of events.entries()) {
        world.play(event, compiler);
        const changes = compiler.takeChanges();
        if (changes === undefined) continue;
        const lines = renderPolicyChanges(changes).map((commands) => commands.join("; "));
        for (const line of lines) assertEquals(await tell(line), "", line);
        if (index % 4 !== 0) continue;
        const other = renderPolicyTable(compilePolicyTable(world, world)).replaceAll("flock-policy", "flock-other");
        await nft(["-f", "-"], other);
        assertEquals(await contents("flock-policy"), await contents("flock-other"), lines.join("\n"));
      }
    }
  });
});

Deno.test("a set too large to be made anew loses an element all the same, and every other set of its pod stays", async () => {
  const pods = Object.fromEntries(Array.from({ length: 600 }, (_, n) => {
    return [`p${n}`, {
      labels: { app: "x" },
      ips: [`10.0.${n >> 8}.${n & 255}`],
      link: n === 0 ? "flock00000001" : "",
    }];
  }));
  const world = worldOf({
    pods: Object.fromEntries(
      Object.entries(pods).map(([name, { link, ...rest }]) => [name, link ? { ...rest, link } : rest]),
    ),
    policies: { all: { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: "x" } } }] }] } },
  });
  const compiler = new PolicyCompiler();
  for (const [key, policy] of world.policies) compiler.setPolicy(key, policy);
  for (const [key, pod] of world.pods) compiler.setPod(key, pod);
  for (const [link, target] of world.targets) compiler.setTarget(link, target);
  await nft(["-f", "-"], renderPolicyTable(compiler.table));
  compiler.takeChanges();
  await withConversation(async (tell) => {
    compiler.setPod("default/p7", undefined);
    const changes = compiler.takeChanges();
    const lines = changes === undefined ? [] : renderPolicyChanges(changes).map((commands) => commands.join("; "));
    assert(lines.at(-1)?.includes("delete element"), lines.join());
    for (const line of lines) assertEquals(await tell(line), "");
  });
  await nft(["-f", "-"], renderPolicyTable(compiler.table).replaceAll("flock-policy", "flock-other"));
  assertEquals(await contents("flock-policy"), await contents("flock-other"));
});

Deno.test("fifty thousand addresses are one transaction, whole and as a change (T-REL-53)", async () => {
  const pods = Object.fromEntries(Array.from({ length: 25_000 }, (_, n) => {
    const ips = [`10.0.${n >> 8}.${n & 255}`, `2001:db8::${n.toString(16)}`];
    return [`p${n}`, { labels: { app: "x" }, ips, ...(n === 0 && { link: "flock00000001" }) }];
  }));
  const world = worldOf({
    pods,
    policies: { all: { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: "x" } } }] }] } },
  });
  const compiler = new PolicyCompiler();
  for (const [key, pod] of world.pods) compiler.setPod(key, pod);
  for (const [link, target] of world.targets) compiler.setTarget(link, target);
  await nft(["-f", "-"], renderPolicyTable(compiler.table));
  compiler.takeChanges();
  for (const [key, policy] of world.policies) compiler.setPolicy(key, policy);
  const changes = compiler.takeChanges();
  assert(changes !== undefined);
  for (const commands of renderPolicyChanges(changes)) await nft(["-f", "-"], `${commands.join("\n")}\n`);
  const changed = await contents("flock-policy");
  await nft(["-f", "-"], renderPolicyTable(compiler.table));
  assertEquals(await contents("flock-policy"), changed);
  assertEquals(JSON.stringify(changed).match(/(10\.0\.|2001:db8:)/g)?.length, 50_000);
});

const oddText = fc.oneof(
  fc.string({ minLength: 1, maxLength: 253 }),
  fc.string({ minLength: 1, maxLength: 300, unit: fc.constantFrom(..."a-.}{;\"'\n\\@$ #\u2028") }),
);
const oddBlock = fc.oneof(oddText, fc.ipV4(), fc.ipV6(), fc.tuple(fc.ipV4(), fc.nat(40)).map((each) => each.join("/")));
const oddPort = fc.oneof(oddText, fc.integer({ min: -1, max: 70_000 }), fc.double());
const oddRule = fc.record({
  from: fc.array(
    fc.oneof(
      fc.record({ podSelector: fc.record({ matchLabels: fc.dictionary(oddText, oddText, { maxKeys: 2 }) }) }),
      fc.record({ ipBlock: fc.record({ cidr: oddBlock }) }),
    ),
    { maxLength: 2 },
  ),
  ports: fc.array(fc.record({ port: oddPort, protocol: fc.constantFrom("TCP", "UDP", "SCTP") }), { maxLength: 2 }),
});

Deno.test("nft takes what a thousand hostile policies and pods come to, and other tables stay (T-SEC-04)", async () => {
  const specs = fc.sample(fc.record({ podSelector: fc.constant({}), ingress: fc.array(oddRule, { maxLength: 2 }) }), {
    ...{ numRuns: 1000, seed: 4 },
  });
  const addresses = fc.sample(fc.tuple(oddBlock, oddText), { numRuns: 1000, seed: 4 });
  const table = compilePolicyTable(worldOf({
    policies: Object.fromEntries(specs.map((spec, n) => [`p${n}`, spec])),
    pods: Object.fromEntries(addresses.map(([ip, label], n) => {
      const link = n === 0 ? { link: "flock00000001" } : {};
      return [`p${n}`, { labels: { [label]: ip }, ips: ["192.0.2.7", ip], annotations: { [label]: label }, ...link }];
    })),
  }));
  assert([...table.chains.values()].filter(({ rules }) => rules.length > 0).length > 100, "all are refused");
  await nft(["-f", "-"], "table inet others { set own { type ipv4_addr; elements = { 192.0.2.1 }; }\n}\n");
  await nft(["-f", "-"], renderPolicyTable(table));
  const listed = Object.keys(await contents("flock-policy"));
  assertEquals([...table.chains.keys()].filter((name) => !listed.includes(`chain ${name}`)), []);
  assertEquals(Object.keys(await contents("others")), ["set own", "table TABLE"]);
});
