/** deploy/install.yaml as it stands: up to date, and each container with no more than it needs. */
import { assert, assertEquals } from "@std/assert";
import { load } from "js-yaml";
import { BUNDLE, renderManifest } from "../../deploy/manifest.ts";
import { CONFIG_DIR, CONFLIST, PLUGIN, RUN_DIR, STATE_DIR } from "../../src/paths/paths.ts";
import config from "../../deno.json" with { type: "json" };
import { type Check, type HealthFacts, livenessChecks, readinessChecks } from "../../src/agent/health_checks.ts";
import { LOCAL_PAGES } from "../../src/agent/page_endpoints.ts";
import { record, records } from "../lab/json.ts";
import { bundled, bundledObjects, podContainers, podSpec } from "./objects.ts";

const UNINSTALL = new URL("../../deploy/uninstall.yaml", import.meta.url);

/** Of an agent that knows nothing yet. */
const NO_FACTS: HealthFacts = {
  loops: [],
  sessions: { view: { asked: false, sessions: undefined, everEstablished: false } },
  reconciler: { serving: { ready: false, why: "", peers: 0 }, view: undefined },
  policies: { inForce: false, failure: undefined },
  state: { lastFailure: undefined },
  watches: { open: [] },
  clock: { monotonic: () => 0 },
};

Deno.test("deploy/install.yaml is what deno task manifest makes", async () => {
  assertEquals(await Deno.readTextFile(BUNDLE), await renderManifest());
});

Deno.test("the namespace comes first, and the definition before whoever reads its objects", async () => {
  const kinds = (await bundledObjects()).map(({ kind }) => kind);
  assertEquals(kinds[0], "Namespace");
  assertEquals(kinds.at(-1), "DaemonSet");
  assert(kinds.includes("CustomResourceDefinition"));
});

Deno.test("all containers run the image of this version", async () => {
  const images = new Set((await podContainers()).map(({ image }) => image));
  assertEquals([...images], [`ghcr.io/fritzlab/flock:${config.version}`]);
});

Deno.test("each container has these capabilities, a file system that it cannot write, and no way to more", async () => {
  const rights = (await podContainers()).map(({ name, securityContext }) => {
    const { capabilities, appArmorProfile: _, ...rest } = record(securityContext);
    assertEquals(rest, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true });
    assertEquals(record(capabilities)["drop"], ["ALL"]);
    return [name, record(capabilities)["add"] ?? []];
  });
  assertEquals(Object.fromEntries(rights), {
    install: [],
    bird: [
      ...["NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE", "NET_BROADCAST"],
      ...["SETUID", "SETGID", "CHOWN", "FOWNER"],
    ],
    agent: ["NET_ADMIN", "SYS_ADMIN"],
  });
});

Deno.test("each container sees these directories of the node, and only the agent the token", async () => {
  const mounts = (await podContainers()).map(({ name, volumeMounts }) => [
    name,
    records(volumeMounts).map(({ mountPath, readOnly }) => `${mountPath}${readOnly === true ? " (ro)" : ""}`),
  ]);
  assertEquals(Object.fromEntries(mounts), {
    install: ["/opt/cni/bin"],
    bird: ["/run/flock", "/etc/flock/bird (ro)", "/etc/flock/bootstrap (ro)", "/run/bird", "/var/lib/flock (ro)"],
    agent: [
      ...["/run/flock", "/run/flock/sys", "/var/lib/flock", "/etc/flock/bird"],
      ...["/etc/flock/passwords (ro)", "/etc/cni/net.d", "/run/netns"],
      "/var/run/secrets/kubernetes.io/serviceaccount (ro)",
    ],
  });
  const spec = await podSpec();
  assertEquals([spec["automountServiceAccountToken"], spec["hostPID"], spec["hostIPC"]], [false, undefined, undefined]);
  assertEquals((await bundled("ServiceAccount"))["automountServiceAccountToken"], false);
});

Deno.test("the pods go where the label is, come before all others, and are replaced one node at a time", async () => {
  const spec = await podSpec();
  assertEquals(spec["priorityClassName"], "system-node-critical");
  assertEquals(spec["tolerations"], [{ operator: "Exists" }]);
  assertEquals(spec["hostNetwork"], true);
  const gate = JSON.stringify(spec["affinity"]);
  assert(gate.includes(`{"key":"flock.fritzlab.net/agent","operator":"Exists"}`), gate);
  const { updateStrategy } = record((await bundled("DaemonSet"))["spec"]);
  assertEquals(updateStrategy, { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } });
});

Deno.test("the agent's probes ask where it always listens, for pages and checks that there are", async () => {
  const [agent] = (await podContainers()).filter(({ name }) => name === "agent");
  const names = (checks: readonly Check[]): string[] => checks.map(({ name }) => name);
  const known: Readonly<Record<string, readonly string[]>> = {
    "/healthz": names(livenessChecks(NO_FACTS)),
    "/readyz": names(readinessChecks(NO_FACTS)),
  };
  for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
    const { host, port, path } = record(record(agent?.[probe])["httpGet"]);
    assertEquals({ hostname: host, port }, LOCAL_PAGES, probe);
    const { pathname, searchParams } = new URL(String(path), "http://agent");
    const checks = known[pathname] ?? [];
    assert(checks.length > 0, `${probe} asks for ${pathname}`);
    for (const excluded of searchParams.getAll("exclude")) assert(checks.includes(excluded), excluded);
  }
});

Deno.test("whether a container is alive is asked of itself, never of the API server", async () => {
  for (const { name, livenessProbe } of await podContainers()) {
    if (name === "install") continue;
    const { exec, httpGet } = record(livenessProbe);
    const asked = JSON.stringify(exec ?? httpGet);
    assert(name === "bird" ? asked.includes("/run/flock/bird.ctl") : asked.includes("127.0.0.1"), `${name}: ${asked}`);
    assert(!/kube|api/i.test(asked), `${name} asks itself`);
  }
});

Deno.test("the pod that uninstalls has flock's image, sees what flock leaves on a node, and may change its network", async () => {
  const { metadata, spec } = record(load(await Deno.readTextFile(UNINSTALL)));
  const { nodeName, hostNetwork, tolerations, containers, volumes } = record(spec);
  const { namespace } = record(metadata);
  assertEquals([namespace, nodeName, hostNetwork], ["flock-system", "NODE", true]);
  assertEquals(tolerations, [{ operator: "Exists" }]);
  const [container, ...others] = records(containers);
  assertEquals(others, []);
  assertEquals(container?.["image"], `ghcr.io/fritzlab/flock:${config.version}`);
  assertEquals(container?.["securityContext"], {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] },
  });
  const directories = [PLUGIN, CONFLIST].map((path) => path.slice(0, path.lastIndexOf("/")));
  const removed = [...directories, CONFIG_DIR, RUN_DIR, STATE_DIR];
  assertEquals(records(container?.["volumeMounts"]).map(({ mountPath }) => mountPath), removed);
  assertEquals(records(volumes).map(({ hostPath }) => record(hostPath)["path"]), removed);
});
