/**
 * `deno task manifest`: makes deploy/install.yaml, what `kubectl apply -f` takes, of the definition in crds/, the parts
 * in deploy/manifest/ and BIRD's first configuration. In this order: the namespace comes before what lives in it.
 */
const PARTS = [
  "deploy/manifest/namespace.yaml",
  "crds/nodeconfig.yaml",
  "deploy/manifest/rbac.yaml",
  "deploy/manifest/own_node.yaml",
  "deploy/bird.conf",
  "deploy/manifest/daemonset.yaml",
];

const HEADER = "# flock, whole. Made by `deno task manifest` of the parts that the comments name; do not edit.\n";
const ROOT: URL = new URL("../", import.meta.url);

/** What is in the repository, and what every check of it compares with. */
export const BUNDLE: URL = new URL("deploy/install.yaml", ROOT);

/** @returns the text of the bundle, as it should be */
export async function renderManifest(): Promise<string> {
  const documents = await Promise.all(PARTS.map(async (part) => {
    const text = await Deno.readTextFile(new URL(part, ROOT));
    return `---\n# ${part}\n${part.endsWith(".conf") ? renderConfigMap(text) : text}`;
  }));
  return HEADER + documents.join("");
}

function renderConfigMap(text: string): string {
  const lines = text.trimEnd().split("\n").map((line) => line === "" ? "" : `    ${line}`);
  return `apiVersion: v1
kind: ConfigMap
metadata:
  name: flock-bird
  namespace: flock-system
data:
  bird.conf: |
${lines.join("\n")}
`;
}

async function main(): Promise<void> {
  await Deno.writeTextFile(BUNDLE, await renderManifest());
}

if (import.meta.main) main();
