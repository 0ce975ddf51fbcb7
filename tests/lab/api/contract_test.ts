import { assertEquals } from "@std/assert";
import { ApiClient } from "./_client.ts";
import { NODE_CONFIGS } from "./_contract.ts";
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
