import { assertEquals, assertRejects } from "@std/assert";
import { ApiClient } from "./_client.ts";
import { NODE_CONFIGS } from "./_contract.ts";
import { LOOPBACK, runContract } from "./_contract_suite.ts";
import { spawnOnMachine } from "./_process.ts";
import { startEmbeddedProcess } from "./embedded_process.ts";
import { startRealApi } from "./real.ts";

const ASSETS = Deno.env.get("KUBEBUILDER_ASSETS");

if (ASSETS === undefined) {
  const command = "KUBEBUILDER_ASSETS=$(../shared/kube/unpack) deno test -A tests/lab/api/contract_linux_test.ts";
  const title = `the real API server keeps the contract: KUBEBUILDER_ASSETS is not set; run it by ${command}`;
  Deno.test.ignore(title, () => {});
} else {
  Deno.test("the real API server keeps the contract", async (t) => {
    await runContract(await startRealApi({ ...LOOPBACK, assets: ASSETS }), t);
  });
}

Deno.test("the embedded API server runs as a process, and misbehaves when told to through its socket", async () => {
  const dir = await Deno.makeTempDir({ prefix: "flock-api-" });
  const env = ["HOME", "DENO_DIR"].flatMap((name) => Deno.env.has(name) ? [`${name}=${Deno.env.get(name)}`] : []);
  const spawn = spawnOnMachine(dir, env);
  const server = await startEmbeddedProcess({ ...LOOPBACK, dir, users: { agent: [] }, spawn });
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
