/** What clients must live through. */
import { assertEquals, assertRejects } from "@std/assert";
import { type Case, make, NODE_CONFIGS, nodeConfig, patch, pod, PODS, versionOf } from "./_contract.ts";
import { valueAt } from "./_object.ts";

/** Last, because they take the server down. */
export const FAULT_CASES: readonly Case[] = [
  {
    title: "answers 410 to versions and continue tokens older than its history, and cuts the watches",
    run: async (subject) => {
      const { client, server } = subject;
      for (const name of ["f-1", "f-2", "f-3"]) await make(subject, PODS, pod(name));
      const page = await client.call("GET", `${PODS}?limit=1`);
      const version = String(valueAt(page.body, "metadata.resourceVersion"));
      const watch = await client.watch(PODS, `resourceVersion=${version}`);
      await make(subject, PODS, pod("f-4"));
      await server.faults.compact();
      assertEquals(await watch.names(2), ["ADDED f-4", "END"]);
      await watch.close();
      const token = encodeURIComponent(String(valueAt(page.body, "metadata.continue")));
      const rest = await client.call("GET", `${PODS}?limit=1&continue=${token}`);
      assertEquals([rest.status, valueAt(rest.body, "reason")], [410, "Expired"]);
      const late = await client.watch(PODS, `resourceVersion=${version}`);
      const event = await late.next();
      assertEquals([event?.type, valueAt(event?.object, "code")], ["ERROR", 410]);
      await late.close();
    },
  },
  {
    title: "falls silent when frozen, and goes on where it stopped",
    run: async (subject) => {
      const { client, server } = subject;
      await make(subject, NODE_CONFIGS, nodeConfig("f-freeze"));
      const version = await versionOf(subject, NODE_CONFIGS);
      const watch = await client.watch(NODE_CONFIGS, `resourceVersion=${version}`);
      await server.faults.freeze();
      const frozen = await client.call("GET", NODE_CONFIGS, { timeoutMs: 300 }).catch(({ name }: Error) => name);
      assertEquals(frozen, "TimeoutError");
      await server.faults.recover();
      await patch(subject, `${NODE_CONFIGS}/f-freeze`, { spec: { mtu: 9000 } });
      assertEquals(await watch.names(1), ["MODIFIED f-freeze"]);
      await watch.close();
    },
  },
  {
    title: "keeps objects and versions while nothing listens",
    run: async (subject) => {
      const { client, server } = subject;
      await make(subject, NODE_CONFIGS, nodeConfig("f-refuse"));
      const version = await versionOf(subject, `${NODE_CONFIGS}/f-refuse`);
      const watch = await client.watch(NODE_CONFIGS, `resourceVersion=${version}`);
      await server.faults.refuse();
      assertEquals(await watch.names(1), ["END"]);
      await watch.close();
      await assertRejects(() => client.call("GET", NODE_CONFIGS), TypeError);
      await server.faults.recover();
      assertEquals(await versionOf(subject, `${NODE_CONFIGS}/f-refuse`), version);
    },
  },
];
