import { assertEquals, assertRejects } from "@std/assert";
import { ApiClient } from "./_client.ts";
import { type Case, NODE_CONFIGS } from "./_contract.ts";
import { FAULT_CASES } from "./_contract_faults.ts";
import { ACCESS_CASES, READ_CASES } from "./_contract_read.ts";
import { SCHEMA_CASES } from "./_contract_schema.ts";
import { WATCH_CASES } from "./_contract_watch.ts";
import { WRITE_CASES } from "./_contract_write.ts";
import { valueAt } from "./_object.ts";
import { spawnOnMachine } from "./_process.ts";
import type { ApiServer } from "./api_server.ts";
import { startEmbeddedApi } from "./embedded.ts";
import { startEmbeddedProcess } from "./embedded_process.ts";
import { startRealApi } from "./real.ts";

const CASES: readonly Case[] = [
  ...ACCESS_CASES,
  ...WRITE_CASES,
  ...READ_CASES,
  ...WATCH_CASES,
  ...SCHEMA_CASES,
  ...FAULT_CASES,
];
const LOOPBACK = { hostname: "127.0.0.1", port: 0 };
const ASSETS = Deno.env.get("KUBEBUILDER_ASSETS");

async function runContract(server: ApiServer, t: Deno.TestContext): Promise<void> {
  const client = await ApiClient.open(server);
  try {
    for (const { title, run } of CASES) await t.step(title, () => run({ server, client }));
  } finally {
    client.close();
    await server.stop();
  }
}

Deno.test("the embedded API server keeps the contract", async (t) => {
  await runContract(await startEmbeddedApi(LOOPBACK), t);
});

if (ASSETS === undefined) {
  const command = "KUBEBUILDER_ASSETS=$(../shared/kube/unpack) deno task test";
  Deno.test.ignore(
    `the real API server keeps the contract: KUBEBUILDER_ASSETS is not set; run it by ${command}`,
    () => {},
  );
} else {
  Deno.test("the real API server keeps the contract", async (t) => {
    await runContract(await startRealApi({ ...LOOPBACK, assets: ASSETS }), t);
  });
}

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

Deno.test("the embedded API server runs as a process, and misbehaves when told to through its socket", async () => {
  const dir = await Deno.makeTempDir({ prefix: "flock-api-" });
  const env = ["HOME", "DENO_DIR"].flatMap((name) => Deno.env.has(name) ? [`${name}=${Deno.env.get(name)}`] : []);
  const server = await startEmbeddedProcess({
    ...LOOPBACK,
    dir,
    users: { agent: [] },
    spawn: spawnOnMachine(dir, env),
  });
  const client = await ApiClient.open(server);
  assertEquals((await client.call("GET", NODE_CONFIGS, { token: server.token("agent") })).status, 200);
  await server.faults.fail(503);
  assertEquals((await client.call("GET", NODE_CONFIGS)).status, 503);
  await server.faults.refuse();
  await assertRejects(() => client.call("GET", NODE_CONFIGS), TypeError);
  await server.faults.recover();
  assertEquals((await client.call("GET", NODE_CONFIGS)).status, 200);
  client.close();
  await server.stop();
  await assertRejects(() => Deno.lstat(dir), Deno.errors.NotFound);
});
