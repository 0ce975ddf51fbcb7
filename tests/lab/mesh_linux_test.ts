import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createLab } from "./lab.ts";
import { type Flow, Mesh } from "./mesh.ts";
import { CLIENT, CLIENT_GATEWAY } from "./topology.ts";

const PROTOCOLS = ["tcp", "udp", "sctp"] as const;
/** New requests to port 81 are lost. */
const LOSE_81 =
  `table inet t { chain c { type filter hook input priority 0; ct state established accept; th dport 81 drop; }; }`;

Deno.test("Mesh asks between network namespaces, and tells silence from refusal", async (t) => {
  await using lab = await createLab({ nodes: 1, api: "none" });
  using mesh = new Mesh();
  const [from, at] = [lab.router, lab.client].map(({ pid }) => `/proc/${pid}/ns/net`) as [string, string];
  const flowsTo = (port: number): Flow[] =>
    PROTOCOLS.flatMap((protocol) =>
      ([4, 6] as const).map((family) => ({
        netns: from,
        source: CLIENT_GATEWAY[family],
        protocol,
        to: CLIENT[family],
        port,
      }))
    );
  for (const { protocol, to, port } of [...flowsTo(80), ...flowsTo(81)]) {
    mesh.serve({ name: `${protocol} ${port}`, netns: at, protocol, address: to, port });
  }
  await t.step("each protocol is answered by its server, in both families", async () => {
    const flows = [...flowsTo(80), ...flowsTo(81)];
    const expected = flows.map(({ protocol, port, source = "" }) => ({ by: `${protocol} ${port}`, source }));
    assertEquals(await mesh.probe(flows), expected);
  });
  await t.step(
    "what is dropped is silence, though others are answered and though it was not dropped before",
    async () => {
      await lab.client.output(["nft", LOSE_81]);
      const answers = await mesh.probe([...flowsTo(81), ...flowsTo(80)]);
      assertEquals(answers.map((answer) => answer !== undefined), [...Array(6).fill(false), ...Array(6).fill(true)]);
    },
  );
  await t.step("a port that nobody serves is refused", async () => {
    await assertRejects(() => mesh.probe(flowsTo(82).slice(0, 1)), Error, "refused");
  });
  await t.step("a connection returns what it is sent until it cannot", async () => {
    using connection = await mesh.connect({ netns: from, to: CLIENT[6], port: 80 });
    assertEquals(connection.answer.by, "tcp 80");
    assertEquals(await connection.exchange("x".repeat(300_000)), 300_000);
    await lab.client.output(["nft", "add chain inet t d { type filter hook input priority 0; policy drop; }"]);
    assertEquals(await connection.exchange("y", { timeoutMs: 200 }), 0);
    assertMatch(String(await mesh.connect({ netns: from, to: CLIENT[6], port: 80 }).catch(String)), /no answer/);
  });
});
