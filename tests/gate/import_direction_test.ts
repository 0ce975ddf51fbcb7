/** The layers: imports point down, never up, and never from one driver or mode into another. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { type Import, importsOf, productionSources, ROOT } from "./_module_graph.ts";

// From the top down; the folders of `apart` may not import each other.
const LAYERS: readonly { readonly name: string; readonly folders: readonly string[]; readonly apart: boolean }[] = [
  { name: "entry", folders: ["main.ts"], apart: true },
  { name: "mode", folders: ["cni", "agent", "install", "inspect"], apart: true },
  {
    name: "driver",
    folders: ["link", "route", "host", "nft", "bird", "store", "kube", "sysctl", "prometheus", "http"],
    apart: true,
  },
  {
    name: "capability",
    folders: ["ip", "ipam", "anycast", "policy", "trace", "bgp", "nodeconfig", "pod", "cnispec"],
    apart: false,
  },
  {
    name: "leaf",
    folders: [
      "exec",
      "log",
      "clock",
      "fault",
      "hash",
      "json",
      "paths",
      "rpc",
      "file",
      "route_protocol",
      "next_hop",
      "permissions",
      "snapshot",
    ],
    apart: false,
  },
];

/** Most that a call of the plugin may load. */
const MAX_PLUGIN_MODULES = 32;

const sources = productionSources();
const graph = sources.then(importsOf);

function folderOf(path: string): string {
  return path.startsWith("src/") ? path.split("/")[1] ?? "" : path;
}

function levelOf(path: string): number {
  return LAYERS.findIndex(({ folders }) => folders.includes(folderOf(path)));
}

function isForbidden({ from, to }: Import): boolean {
  if (!to.startsWith("src/") || folderOf(from) === folderOf(to)) return false;
  const [above, below] = [levelOf(from), levelOf(to)];
  return below < above || (below === above && LAYERS[above]?.apart === true);
}

function show({ from, to }: Import): string {
  return `${from} -> ${to}`;
}

async function filesWith(pattern: RegExp, folders?: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(
    (await sources).map(async (path) => ({ path, text: await Deno.readTextFile(new URL(path, ROOT)) })),
  );
  const within = texts.filter(({ path }) => folders === undefined || folders.includes(folderOf(path)));
  return within.filter(({ text }) => pattern.test(withoutComments(text))).map(({ path }) => path);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, "");
}

Deno.test("the graph holds what this gate is about", async () => {
  const shown = (await graph).map(show);
  for (
    const known of [
      "main.ts -> src/cni/answer_version.ts",
      "src/pod/pod.ts",
      "src/agent/",
      "npm:@kubernetes/client-node",
      "npm:ipaddr.js",
    ]
  ) {
    assert(shown.some((line) => line.includes(known)), known);
  }
  assert(isForbidden({ from: "src/ip/address.ts", to: "src/link/attachment_driver.ts", typeOnly: true }));
  assert(isForbidden({ from: "src/nft/a.ts", to: "src/link/b.ts", typeOnly: true }));
});

Deno.test("every folder of src belongs to a layer", async () => {
  assertEquals([...new Set((await sources).filter((path) => levelOf(path) < 0).map(folderOf))], []);
});

Deno.test("imports point down, and never from one driver or mode into another", async () => {
  assertEquals((await graph).filter(isForbidden).map(show), []);
});

Deno.test("pure capabilities use no Deno API", async () => {
  assertEquals(await filesWith(/\bDeno\./, LAYERS[3]?.folders), []);
});

Deno.test("only src/exec starts processes", async () => {
  const starters = await filesWith(/\bDeno\.Command\b|child_process/);
  assertEquals(starters.filter((path) => folderOf(path) !== "exec"), []);
});

Deno.test("only src/kube imports the Kubernetes client, and only the agent imports src/kube", async () => {
  const clients = (await graph).filter(({ to }) => /^npm:(@kubernetes\/|undici)/.test(to));
  assertEquals(clients.filter(({ from }) => folderOf(from) !== "kube").map(show), []);
  const users = (await graph).filter(({ to, typeOnly }) =>
    folderOf(to) === "kube" && to.startsWith("src/") && !typeOnly
  );
  assertEquals(users.filter(({ from }) => !["kube", "agent"].includes(folderOf(from))).map(show), []);
});

Deno.test("only src/prometheus imports prom-client, and only the agent imports src/prometheus", async () => {
  const clients = (await graph).filter(({ to }) => to.startsWith("npm:prom-client"));
  assertEquals([...new Set(clients.map(({ from }) => folderOf(from)))], ["prometheus"]);
  const users = (await graph).filter(({ to, typeOnly }) => to.startsWith("src/prometheus/") && !typeOnly);
  assertEquals(users.filter(({ from }) => !["prometheus", "agent"].includes(folderOf(from))).map(show), []);
});

Deno.test("what a call of the plugin loads is small, and free of packages", async () => {
  const loaded = (await importsOf(["main.ts", "src/cni/without_agent.ts"])).filter(({ typeOnly }) => !typeOnly);
  assertEquals(loaded.filter(({ to }) => !/^(src\/|main\.ts|deno\.json)/.test(to)).map(show), []);
  assertEquals(loaded.filter(({ to }) => folderOf(to) === "agent").map(show), []);
  assertLess(new Set(loaded.map(({ to }) => to)).size, MAX_PLUGIN_MODULES);
});

Deno.test("inspect loads neither the Kubernetes client nor the agent, and of packages only what reads addresses", async () => {
  const loaded = (await importsOf(["src/inspect/main.ts"])).filter(({ typeOnly }) => !typeOnly);
  const packages = loaded.map(({ to }) => to).filter((to) => to.startsWith("npm:"));
  assertEquals([...new Set(packages)], ["npm:ipaddr.js"]);
  assertEquals(loaded.filter(({ to }) => ["agent", "kube"].includes(folderOf(to))).map(show), []);
});
