/** Access, lists and selectors. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Case, items, make, namesOf, NODE_CONFIGS, nodeConfig, pod, PODS } from "./_contract.ts";
import { valueAt } from "./_object.ts";

export const ACCESS_CASES: readonly Case[] = [
  {
    title: "lets nobody in without a token it knows",
    run: async ({ client }) => {
      for (const token of ["", "wrong"]) {
        const { status, body } = await client.call("GET", PODS, { token });
        assertEquals([status, valueAt(body, "kind"), valueAt(body, "reason")], [401, "Status", "Unauthorized"]);
      }
    },
  },
  {
    title: "says that it is ready, and which resources it has",
    run: async ({ client }) => {
      assertEquals(await client.call("GET", "/readyz"), { status: 200, body: "ok" });
      const core = JSON.stringify((await client.call("GET", "/api/v1")).body);
      const flock = JSON.stringify((await client.call("GET", "/apis/flock.fritzlab.net/v1alpha1")).body);
      for (const name of ["pods", "nodes", "events", "namespaces"]) assertStringIncludes(core, `"name":"${name}"`);
      assertStringIncludes(flock, `"name":"nodeconfigs/status"`);
    },
  },
  {
    title: "answers 404 for what is not there, in a Status",
    run: async ({ client }) => {
      const missing = await client.call("GET", `${NODE_CONFIGS}/nowhere`);
      assertEquals([missing.status, valueAt(missing.body, "reason")], [404, "NotFound"]);
      assertEquals(valueAt(missing.body, "message"), 'nodeconfigs.flock.fritzlab.net "nowhere" not found');
      assertEquals((await client.call("GET", "/apis/flock.fritzlab.net/v1alpha1/others")).status, 404);
      assertEquals((await client.call("POST", "/api/v1/namespaces/none/pods", { body: pod("x") })).status, 404);
    },
  },
];

export const READ_CASES: readonly Case[] = [
  {
    title: "lists with one version, and names kinds in custom objects only",
    run: async (subject) => {
      await make(subject, PODS, pod("r-list"));
      await make(subject, NODE_CONFIGS, nodeConfig("r-list"));
      const pods = await subject.client.call("GET", PODS);
      const configs = await subject.client.call("GET", NODE_CONFIGS);
      assertEquals([valueAt(pods.body, "kind"), valueAt(configs.body, "kind")], ["PodList", "NodeConfigList"]);
      assertMatch(String(valueAt(pods.body, "metadata.resourceVersion")), /^\d+$/);
      assert(items(pods).every((item) => valueAt(item, "kind") === undefined));
      assert(items(configs).every((item) => valueAt(item, "kind") === "NodeConfig"));
    },
  },
  {
    title: "lists in pages of one snapshot",
    run: async (subject) => {
      const labels = { case: "pages" };
      for (const name of ["r-page-1", "r-page-2", "r-page-3"]) await make(subject, PODS, pod(name, undefined, labels));
      const path = `${PODS}?labelSelector=case%3Dpages&limit=2`;
      const first = await subject.client.call("GET", path);
      await make(subject, PODS, pod("r-page-4", undefined, labels));
      const token = encodeURIComponent(String(valueAt(first.body, "metadata.continue")));
      const second = await subject.client.call("GET", `${path}&continue=${token}`);
      assertEquals([namesOf(first), namesOf(second)], [["r-page-1", "r-page-2"], ["r-page-3"]]);
      assertEquals(valueAt(second.body, "metadata.continue"), undefined);
    },
  },
  {
    title: "selects by node, by name and by label, and refuses a field it does not know",
    run: async (subject) => {
      await make(subject, PODS, pod("r-select-1", "r-select-node", { app: "a", tier: "x" }));
      await make(subject, PODS, pod("r-select-2", "r-select-node", { app: "b" }));
      const select = async (query: string): Promise<string[]> =>
        namesOf(await subject.client.call("GET", `${PODS}?${query}`));
      const byNode = "fieldSelector=spec.nodeName%3Dr-select-node";
      assertEquals(await select(byNode), ["r-select-1", "r-select-2"]);
      assertEquals(await select("fieldSelector=metadata.name%3Dr-select-2"), ["r-select-2"]);
      assertEquals(await select(`${byNode}&labelSelector=app+in+(b,c)`), ["r-select-2"]);
      assertEquals(await select(`${byNode}&labelSelector=app%21%3Db,tier`), ["r-select-1"]);
      assertEquals((await subject.client.call("GET", `${PODS}?fieldSelector=spec.x%3Dy`)).status, 400);
    },
  },
];
