import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { loadConnection, SERVICE_ACCOUNT_DIR } from "./connection.ts";

const AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

async function withDir(play: (dir: string) => Promise<void> | void): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "flock-connection-" });
  try {
    await play(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function writeServiceAccount(dir: string): void {
  Deno.writeTextFileSync(`${dir}/ca.crt`, AUTHORITY);
  Deno.writeTextFileSync(`${dir}/token`, "first\n");
}

const inPod = (host: string) => (name: string): string | undefined =>
  ({ KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: "443" })[name];
const nothing = (): undefined => undefined;

for (const [host, server] of [["10.96.0.1", "https://10.96.0.1:443"], ["fd00::1", "https://[fd00::1]:443"]] as const) {
  Deno.test(`loadConnection() finds the API server at ${host} from inside a pod`, () =>
    withDir(async (dir) => {
      writeServiceAccount(dir);
      const connection = loadConnection({ env: inPod(host), serviceAccountDir: dir });
      const { headers, tls } = await connection.credentials();
      assertEquals([connection.server, headers], [server, { Authorization: "Bearer first" }]);
      assertEquals(String(tls.ca), AUTHORITY);
    }));
}

Deno.test("loadConnection() has the token and the authority of now, for each request", () =>
  withDir(async (dir) => {
    writeServiceAccount(dir);
    const connection = loadConnection({ env: inPod("10.96.0.1"), serviceAccountDir: dir });
    await connection.credentials();
    Deno.writeTextFileSync(`${dir}/token`, "second");
    Deno.writeTextFileSync(`${dir}/ca.crt`, "another authority");
    const { headers, tls } = await connection.credentials();
    assertEquals([headers, String(tls.ca)], [{ Authorization: "Bearer second" }, "another authority"]);
  }));

Deno.test("loadConnection() reads the token file that a kubeconfig names for each request, a token in it or not", () =>
  withDir(async (dir) => {
    for (const [tokenFile, user] of [["t", {}], [`${dir}/t`, { token: "stale" }]] as const) {
      Deno.writeTextFileSync(`${dir}/config`, kubeconfig({ server: "https://a" }, { ...user, tokenFile }));
      Deno.writeTextFileSync(`${dir}/t`, "first\n");
      const connection = loadConnection({ kubeconfigFile: `${dir}/config`, env: nothing });
      assertEquals((await connection.credentials()).headers, { Authorization: "Bearer first" });
      Deno.writeTextFileSync(`${dir}/t`, "second");
      assertEquals((await connection.credentials()).headers, { Authorization: "Bearer second" });
    }
  }));

Deno.test("loadConnection() reads a kubeconfig that was written anew once told to forget", () =>
  withDir(async (dir) => {
    const write = (token: string, authority: string): void => {
      const cluster = { server: "https://a", "certificate-authority-data": btoa(authority) };
      Deno.writeTextFileSync(`${dir}/config`, kubeconfig(cluster, { token }));
    };
    write("first", "one");
    const connection = loadConnection({ kubeconfigFile: `${dir}/config`, env: nothing });
    write("second", "two");
    assertEquals((await connection.credentials()).headers, { Authorization: "Bearer first" });
    connection.forget();
    const { headers, tls } = await connection.credentials();
    assertEquals([headers, String(tls.ca)], [{ Authorization: "Bearer second" }, "two"]);
  }));

Deno.test("loadConnection() recovers when files were missing for a moment after forget", () =>
  withDir(async (dir) => {
    writeServiceAccount(dir);
    const connection = loadConnection({ env: inPod("10.96.0.1"), serviceAccountDir: dir });
    Deno.removeSync(`${dir}/token`);
    connection.forget();
    await assertRejects(() => connection.credentials(), Error, "Cannot read");
    Deno.writeTextFileSync(`${dir}/token`, "third");
    assertEquals((await connection.credentials()).headers, { Authorization: "Bearer third" });
  }));

Deno.test("loadConnection() names the variable that is missing outside a pod", () => {
  const error = assertThrows(() => loadConnection({ env: nothing }), Error, "KUBERNETES_SERVICE_HOST is not set");
  assertStringIncludes(error.message, "Cannot find the API server");
});

Deno.test("loadConnection() names the service account file that is missing or empty", () =>
  withDir((dir) => {
    Deno.writeTextFileSync(`${dir}/ca.crt`, AUTHORITY);
    const load = (): unknown => loadConnection({ env: inPod("10.96.0.1"), serviceAccountDir: dir });
    assertThrows(load, Error, `${dir}/token`.slice(0, 60));
    Deno.writeTextFileSync(`${dir}/token`, "\n");
    assertThrows(load, Error, "it is empty");
  }));

Deno.test("loadConnection() expects the service account where Kubernetes mounts it", () => {
  assertEquals(SERVICE_ACCOUNT_DIR, "/var/run/secrets/kubernetes.io/serviceaccount");
});

function kubeconfig(cluster: Record<string, unknown>, user: Record<string, unknown>): string {
  return JSON.stringify({
    clusters: [{ name: "c", cluster }],
    users: [{ name: "u", user }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  });
}

Deno.test("loadConnection() takes authority, client certificate and token of a kubeconfig", () =>
  withDir(async (dir) => {
    const cluster = { server: "https://[fd00::1]:6443/", "certificate-authority-data": btoa("authority") };
    const user = { token: "t", "client-certificate-data": btoa("cert"), "client-key-data": btoa("key") };
    Deno.writeTextFileSync(`${dir}/config`, kubeconfig(cluster, user));
    const connection = loadConnection({ kubeconfigFile: `${dir}/config`, env: nothing });
    const { headers, tls } = await connection.credentials();
    assertEquals([connection.server, headers], ["https://[fd00::1]:6443", { Authorization: "Bearer t" }]);
    assertEquals([tls.ca, tls.cert, tls.key].map(String), ["authority", "cert", "key"]);
  }));

Deno.test("loadConnection() takes plain http without a word about certificates", () =>
  withDir(async (dir) => {
    Deno.writeTextFileSync(
      `${dir}/config`,
      kubeconfig({ server: "http://127.0.0.1:8080" }, { username: "a", password: "b" }),
    );
    const connection = loadConnection({ kubeconfigFile: `${dir}/config`, env: nothing });
    assertEquals((await connection.credentials()).headers, { Authorization: `Basic ${btoa("a:b")}` });
  }));

const BAD: readonly (readonly [string, string, string])[] = [
  ["is empty", "", "Cannot read kubeconfig"],
  ["is no YAML", "a: [", "Cannot read kubeconfig"],
  ["has no context", "clusters: []\nusers: []\ncontexts: []\n", "its current-context names no cluster with a server"],
  [
    "has a server that is no URL",
    kubeconfig({ server: "10.0.0.1:6443" }, {}),
    'server "10.0.0.1:6443": must be a http or https URL',
  ],
  [
    "wants a plugin run",
    kubeconfig({ server: "https://a" }, { exec: { command: "x" } }),
    'user "u": must not need an exec plugin, flock runs none',
  ],
  ["has a cluster without a server", kubeconfig({}, {}), "Cannot read kubeconfig"],
];
for (const [what, text, message] of BAD) {
  Deno.test(`loadConnection() refuses a kubeconfig that ${what}`, () =>
    withDir((dir) => {
      Deno.writeTextFileSync(`${dir}/config`, text);
      assertThrows(() => loadConnection({ kubeconfigFile: `${dir}/config`, env: nothing }), Error, message);
    }));
}

Deno.test("loadConnection() names a kubeconfig that is not there", () => {
  const load = (): unknown => loadConnection({ kubeconfigFile: "/nonexistent/config", env: nothing });
  assertThrows(load, Error, 'Cannot read kubeconfig "/nonexistent/config"');
});
