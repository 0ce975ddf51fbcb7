/** Creating, changing and deleting. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import type { Answer } from "./_client.ts";
import {
  type Case,
  EVENTS,
  make,
  namesOf,
  NODE_CONFIGS,
  nodeConfig,
  NODES,
  patch,
  pod,
  PODS,
  remove,
  STRATEGIC,
  versionOf,
} from "./_contract.ts";
import { type Json, valueAt } from "./_object.ts";

export const WRITE_CASES: readonly Case[] = [
  {
    title: "creates with uid, age and generation, and only once",
    run: async (subject) => {
      const made = await make(subject, NODE_CONFIGS, nodeConfig("w-create"));
      assertMatch(String(valueAt(made, "metadata.uid")), /^[0-9a-f-]{36}$/);
      assertMatch(String(valueAt(made, "metadata.creationTimestamp")), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assertEquals(valueAt(made, "metadata.generation"), 1);
      const again = await subject.client.call("POST", NODE_CONFIGS, { body: nodeConfig("w-create") });
      assertEquals([again.status, valueAt(again.body, "reason")], [409, "AlreadyExists"]);
    },
  },
  {
    title: "names a namespace in its labels, and completes the types of a policy",
    run: async (subject) => {
      const made = await make(subject, "/api/v1/namespaces", { metadata: { name: "w-labelled", labels: { a: "b" } } });
      assertEquals(valueAt(made, "metadata.labels"), { a: "b", "kubernetes.io/metadata.name": "w-labelled" });
      const policies = "/apis/networking.k8s.io/v1/namespaces/w-labelled/networkpolicies";
      for (const [rules, types] of [[{}, ["Ingress"]], [{ egress: [{}] }, ["Ingress", "Egress"]]] as const) {
        const spec = { podSelector: {}, ...rules };
        const policy = await make(subject, policies, { metadata: { name: `w-${types.length}` }, spec });
        assertEquals(valueAt(policy, "spec.policyTypes"), types);
      }
    },
  },
  {
    title: "counts the generation when the spec changes, not when metadata does",
    run: async (subject) => {
      await make(subject, NODE_CONFIGS, nodeConfig("w-generation"));
      const path = `${NODE_CONFIGS}/w-generation`;
      const labelled = await patch(subject, path, { metadata: { labels: { a: "b" } } });
      const changed = await patch(subject, path, { spec: { mtu: 9000 } });
      const undone = await patch(subject, path, { spec: { mtu: null } });
      const generations = [labelled, changed, undone].map(({ body }) => valueAt(body, "metadata.generation"));
      assertEquals(generations, [1, 2, 3]);
      assertEquals(valueAt(undone.body, "metadata.labels"), { a: "b" });
      assertEquals(valueAt(undone.body, "spec.mtu"), undefined);
    },
  },
  {
    title: "keeps the version of an object that a patch does not change",
    run: async (subject) => {
      await make(subject, NODE_CONFIGS, nodeConfig("w-noop", { cidr4: ["203.0.113.0/24"], mtu: 9000 }));
      const before = await versionOf(subject, `${NODE_CONFIGS}/w-noop`);
      const { body } = await patch(subject, `${NODE_CONFIGS}/w-noop`, { spec: { mtu: 9000 } });
      assertEquals(valueAt(body, "metadata.resourceVersion"), before);
    },
  },
  {
    title: "takes status only at /status, and nothing else there",
    run: async (subject) => {
      await make(subject, NODE_CONFIGS, { ...nodeConfig("w-status"), status: { observedGeneration: 7 } });
      const path = `${NODE_CONFIGS}/w-status`;
      const viaMain = await patch(subject, path, { status: { observedGeneration: 8 } });
      assertEquals(valueAt(viaMain.body, "status"), undefined);
      const viaStatus = await patch(subject, `${path}/status`, {
        status: { observedGeneration: 9 },
        spec: { mtu: 1500 },
      });
      assertEquals(viaStatus.status, 200);
      assertEquals(valueAt(viaStatus.body, "status.observedGeneration"), 9);
      assertEquals([valueAt(viaStatus.body, "spec.mtu"), valueAt(viaStatus.body, "metadata.generation")], [
        undefined,
        1,
      ]);
    },
  },
  {
    title: "refuses a write that rests on an older version: 409",
    run: async (subject) => {
      const old = await make(subject, NODE_CONFIGS, nodeConfig("w-conflict"));
      const path = `${NODE_CONFIGS}/w-conflict`;
      const metadata = { resourceVersion: String(valueAt(old, "metadata.resourceVersion")) };
      assertEquals((await patch(subject, path, { metadata, spec: { mtu: 9000 } })).status, 200);
      const patched = await patch(subject, path, { metadata, spec: { mtu: 1500 } });
      const replaced = await subject.client.call("PUT", path, { body: old });
      assertEquals([patched.status, replaced.status, valueAt(replaced.body, "reason")], [409, 409, "Conflict"]);
      const blind = await subject.client.call("PUT", path, { body: nodeConfig("w-conflict") });
      assertEquals(blind.status, 422, "a custom object is not replaced without a version");
    },
  },
  {
    title: "merges node conditions by type in a strategic patch, and refuses one of a custom object",
    run: async (subject) => {
      await make(subject, NODES, { metadata: { name: "w-node" } });
      const condition = { type: "NetworkUnavailable", status: "False", reason: "FlockReady", message: "" };
      const send = (conditions: Json[]): Promise<Answer> =>
        patch(subject, `${NODES}/w-node/status`, { status: { conditions } }, STRATEGIC);
      assertEquals((await send([{ ...condition, type: "Other", reason: "Other" }])).status, 200);
      assertEquals((await send([condition])).status, 200);
      const { body } = await send([{ ...condition, reason: "Again" }]);
      const conditions = valueAt(body, "status.conditions");
      assert(Array.isArray(conditions));
      const seen = conditions.map((item) => `${valueAt(item, "type")} ${valueAt(item, "reason")}`);
      assertEquals(seen.sort(), ["NetworkUnavailable Again", "Other Other"]);
      await make(subject, NODE_CONFIGS, nodeConfig("w-strategic"));
      assertEquals((await patch(subject, `${NODE_CONFIGS}/w-strategic`, { spec: {} }, STRATEGIC)).status, 415);
    },
  },
  {
    title: "gives a pod on a node its grace period, and deletes it with a grace of 0",
    run: async (subject) => {
      await make(subject, PODS, pod("w-grace", "w-grace-node"));
      const { body } = await subject.client.call("DELETE", `${PODS}/w-grace`);
      assertNotEquals(valueAt(body, "metadata.deletionTimestamp"), undefined);
      assertEquals((await subject.client.call("GET", `${PODS}/w-grace`)).status, 200);
      await remove(subject, `${PODS}/w-grace`);
      assertEquals((await subject.client.call("GET", `${PODS}/w-grace`)).status, 404);
    },
  },
  {
    title: "holds a deleted object until its finalizers are gone",
    run: async (subject) => {
      const object = nodeConfig("w-finalizer");
      await make(subject, NODE_CONFIGS, {
        ...object,
        metadata: { name: "w-finalizer", finalizers: ["flock.fritzlab.net/x"] },
      });
      const path = `${NODE_CONFIGS}/w-finalizer`;
      await remove(subject, path);
      const { body } = await subject.client.call("GET", path);
      assertNotEquals(valueAt(body, "metadata.deletionTimestamp"), undefined);
      await patch(subject, path, { metadata: { finalizers: null } });
      assertEquals((await subject.client.call("GET", path)).status, 404);
    },
  },
  {
    title: "records events, and finds them by what they are about",
    run: async (subject) => {
      const event = (name: string, involvedObject: Json): Json => ({
        metadata: { name },
        involvedObject,
        ...{ reason: "PoolExhausted", message: "m", type: "Warning", count: 1, source: { component: "flock" } },
      });
      const about = { apiVersion: "v1", kind: "Pod", namespace: "default", name: "w-pod", uid: "w-uid" };
      await make(subject, EVENTS, event("w-event", about));
      await make(subject, EVENTS, event("w-event-node", { kind: "Node", name: "w-event-node" }));
      assertEquals(valueAt((await patch(subject, `${EVENTS}/w-event`, { count: 2 })).body, "count"), 2);
      const query = "fieldSelector=involvedObject.uid%3Dw-uid,involvedObject.kind%3DPod";
      assertEquals(namesOf(await subject.client.call("GET", `${EVENTS}?${query}`)), ["w-event"]);
      const stray = event("w-stray", { ...about, namespace: "kube-system" });
      assertEquals((await subject.client.call("POST", EVENTS, { body: stray })).status, 422);
    },
  },
];
