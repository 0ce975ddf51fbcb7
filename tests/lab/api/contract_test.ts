import { assertEquals, assertLess } from "@std/assert";
import { ApiClient } from "./_client.ts";
import { items, NODE_CONFIGS, versionOf } from "./_contract.ts";
import { LOOPBACK, runContract } from "./_contract_suite.ts";
import { valueAt } from "./_object.ts";
import { startEmbeddedApi } from "./embedded.ts";

Deno.test("the embedded API server keeps the contract", async (t) => {
  await runContract(await startEmbeddedApi({ ...LOOPBACK, bookmarkSeconds: 1 }), t);
});

Deno.test("the embedded API server answers 410 as the HTTP status where told to", async () => {
  const server = await startEmbeddedApi({ ...LOOPBACK, historySize: 1, gone: "http" });
  const client = await ApiClient.open(server);
  const { status, body } = await client.call("GET", `${NODE_CONFIGS}?watch=1&resourceVersion=1`);
  assertEquals([status, valueAt(body, "reason")], [410, "Expired"]);
  client.close();
  await server.stop();
});

Deno.test("the embedded API server fails every request while told to", async () => {
  const server = await startEmbeddedApi(LOOPBACK);
  const client = await ApiClient.open(server);
  await server.faults.fail(503);
  assertEquals((await client.call("GET", NODE_CONFIGS)).status, 503);
  await server.faults.recover();
  assertEquals((await client.call("GET", NODE_CONFIGS)).status, 200);
  client.close();
  await server.stop();
});

Deno.test("the embedded API server forgets, stalls, hurries and revokes while told to", async () => {
  const server = await startEmbeddedApi({ ...LOOPBACK, users: { spare: [] } });
  const client = await ApiClient.open(server);
  const namespaces = "/api/v1/namespaces";
  await server.faults.forget();
  assertEquals(items(await client.call("GET", namespaces)), []);
  assertEquals((await client.call("GET", `${namespaces}?watch=1&resourceVersion=9`)).status, 410);
  await server.faults.recover();
  assertEquals(items(await client.call("GET", namespaces)).length, 2);
  const version = await versionOf({ server, client }, namespaces);
  await server.faults.stall();
  const stalled = await client.watch(namespaces, `resourceVersion=${version}&timeoutSeconds=1`);
  await client.call("POST", namespaces, { body: { metadata: { name: "late" } } });
  assertEquals(await stalled.names(1), ["END"]);
  await server.faults.recover();
  await server.faults.hurry();
  const hurried = await client.watch(namespaces, `resourceVersion=${version}&timeoutSeconds=60`);
  const start = performance.now();
  assertEquals(await hurried.names(2), ["ADDED late", "END"]);
  assertLess(performance.now() - start, 10_000);
  await server.faults.revoke("admin");
  assertEquals((await client.call("GET", NODE_CONFIGS)).status, 401);
  assertEquals((await client.call("GET", NODE_CONFIGS, { token: server.token("spare") })).status, 200);
  client.close();
  await server.stop();
});
