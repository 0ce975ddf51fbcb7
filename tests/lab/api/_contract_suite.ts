/** The whole contract against one server. */
import { ApiClient } from "./_client.ts";
import type { Case } from "./_contract.ts";
import { FAULT_CASES } from "./_contract_faults.ts";
import { ACCESS_CASES, READ_CASES } from "./_contract_read.ts";
import { SCHEMA_CASES } from "./_contract_schema.ts";
import { WATCH_CASES } from "./_contract_watch.ts";
import { WRITE_CASES } from "./_contract_write.ts";
import type { ApiServer } from "./api_server.ts";

const CASES: readonly Case[] = [
  ...ACCESS_CASES,
  ...WRITE_CASES,
  ...READ_CASES,
  ...WATCH_CASES,
  ...SCHEMA_CASES,
  ...FAULT_CASES,
];

/** Where the suites' servers listen. */
export const LOOPBACK = { hostname: "127.0.0.1", port: 0 };

/** Runs every case as a step, then stops the server. */
export async function runContract(server: ApiServer, t: Deno.TestContext): Promise<void> {
  const client = await ApiClient.open(server);
  try {
    for (const { title, run } of CASES) await t.step(title, () => run({ server, client }));
  } finally {
    client.close();
    await server.stop();
  }
}
