/** Watches. */
import { assert, assertEquals } from "@std/assert";
import type { Answer } from "./_client.ts";
import { type Case, make, NODE_CONFIGS, nodeConfig, patch, pod, PODS, remove, versionOf } from "./_contract.ts";
import { valueAt } from "./_object.ts";

export const WATCH_CASES: readonly Case[] = [
  {
    title: "watches from a list's version: every change once, in order",
    run: async (subject) => {
      const watch = await subject.client.watch(
        NODE_CONFIGS,
        `resourceVersion=${await versionOf(subject, NODE_CONFIGS)}`,
      );
      await make(subject, NODE_CONFIGS, nodeConfig("v-changes"));
      await patch(subject, `${NODE_CONFIGS}/v-changes`, { spec: { mtu: 9000 } });
      await patch(subject, `${NODE_CONFIGS}/v-changes/status`, { status: { observedGeneration: 2 } });
      await remove(subject, `${NODE_CONFIGS}/v-changes`);
      assertEquals(
        await watch.names(4),
        ["ADDED v-changes", "MODIFIED v-changes", "MODIFIED v-changes", "DELETED v-changes"],
      );
      await watch.close();
    },
  },
  {
    title: "starts a watch without a version with what exists",
    run: async (subject) => {
      await make(subject, NODE_CONFIGS, nodeConfig("v-existing"));
      const watch = await subject.client.watch(NODE_CONFIGS, "fieldSelector=metadata.name%3Dv-existing");
      assertEquals(await watch.names(1), ["ADDED v-existing"]);
      await watch.close();
    },
  },
  {
    title: "tells a selecting watch of objects that come to match and cease to",
    run: async (subject) => {
      await make(subject, PODS, pod("v-select"));
      const version = await versionOf(subject, PODS);
      const watch = await subject.client.watch(PODS, `resourceVersion=${version}&labelSelector=case%3Dv-select`);
      const label = (value: string | null): Promise<Answer> =>
        patch(subject, `${PODS}/v-select`, { metadata: { labels: { case: value } } });
      await label("v-select");
      await label(null);
      assertEquals(await watch.names(2), ["ADDED v-select", "DELETED v-select"]);
      await watch.close();
    },
  },
  {
    title: "ends a watch at its time",
    run: async (subject) => {
      const version = await versionOf(subject, NODE_CONFIGS);
      const watch = await subject.client.watch(NODE_CONFIGS, `resourceVersion=${version}&timeoutSeconds=1`);
      assertEquals(await watch.names(1), ["END"]);
      await watch.close();
    },
  },
  {
    title: "sends bookmarks with a version meanwhile: the real server one a minute",
    run: async (subject) => {
      const version = await versionOf(subject, NODE_CONFIGS);
      const query = `resourceVersion=${version}&allowWatchBookmarks=true&timeoutSeconds=90`;
      const watch = await subject.client.watch(NODE_CONFIGS, query);
      const bookmark = await watch.next();
      assertEquals([bookmark?.type, valueAt(bookmark?.object, "kind")], ["BOOKMARK", "NodeConfig"]);
      assert(Number(valueAt(bookmark?.object, "metadata.resourceVersion")) >= Number(version));
      await watch.close();
    },
  },
];
