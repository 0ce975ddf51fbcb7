/**
 * What the Dockerfile makes, as far as it can be made without Docker. Needs root, Debian's mirror and `deno task
 * build`.
 */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { type Argv, type CommandResult, expectSuccess } from "../../src/exec/command_runner.ts";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { AGENT_SOCKET, BIRD, IP, NFT, PLUGIN } from "../../src/paths/paths.ts";
import { configOf, parseDockerfile, type Stage, textsOf } from "./dockerfile.ts";
import { makeFlockLayer } from "./flock_image.ts";
import { makeRuntimeRoot, runtimeStage } from "./runtime_root.ts";

const CHECKOUT = new URL("../../", import.meta.url).pathname;
const MAX_LAYER_BYTES = 200 << 20;
/** Namespaces of its own, whose processes end with it. */
const OWN = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"] as const;
const runner = createSystemRunner();

/**
 * What a runtime does for the pod: a read-only root, the node's directories in it (here empty ones), no capabilities
 * for the installer. Then the agent, whose API server does not answer, and at last uninstall, as a pod of its own.
 */
const POD_SCRIPT = `
  root=$0
  nodes="opt/cni/bin etc/cni/net.d etc/flock run/flock var/lib/flock"
  for dir in $nodes run/netns run/secrets; do mkdir -p $root/$dir; done
  mount --bind $root $root
  mount -o remount,bind,ro $root
  for dir in $nodes run/secrets; do mount -t tmpfs tmpfs $root/$dir; done
  mount -t proc proc $root/proc
  mkdir -p $root/run/flock/sys $root/etc/flock/bird $root/run/secrets/kubernetes.io/serviceaccount
  mount --bind /proc/sys/net $root/run/flock/sys
  cd $root/run/secrets/kubernetes.io/serviceaccount
  openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=ca >ca.crt 2>&-
  echo token >token; echo default >namespace
  cd /
  ip link set lo up
  export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  chroot $root setpriv --bounding-set=-all --inh-caps=-all --no-new-privs flock install
  export NODE_NAME=node-a KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=6443
  chroot $root flock agent >/dev/null 2>$root/run/secrets/log &
  agent=$!
  for time in $(seq 200); do [ -S $root${AGENT_SOCKET} ] && break; sleep 0.1; done
  echo '{"cniVersion":"1.1.0","name":"flock","type":"flock"}' | CNI_COMMAND=STATUS CNI_PATH=/opt/cni/bin chroot $root ${PLUGIN} || true
  kill $agent || cat $root/run/secrets/log >&2
  wait $agent || true
  umount $root/run/flock/sys
  chroot $root flock uninstall
  for dir in $nodes; do ls -A $root/$dir; done`;

async function run(argv: Argv, options: { stdin?: string } = {}): Promise<CommandResult> {
  return await runner.run(["/usr/bin/env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", ...argv], {
    timeoutMs: 120_000,
    ...options,
  });
}

/** @returns the image's files below a directory of the machine */
async function extract(stage: Stage, directory: string): Promise<string> {
  const root = `${directory}/root`;
  await Deno.mkdir(root);
  for (const layer of [await makeRuntimeRoot(), await makeFlockLayer(stage, directory)]) {
    assertLess((await Deno.stat(layer)).size, MAX_LAYER_BYTES);
    expectSuccess(["tar"], await run(["tar", "--extract", "--file", layer, "--directory", root]));
  }
  return root;
}

Deno.test("the image: packages as pinned, flock and BIRD as the DaemonSet starts them", async (t) => {
  const directory = await Deno.makeTempDir({ prefix: "flock-image-" });
  try {
    const stage = await runtimeStage();
    const root = await extract(stage, directory);
    const enter = (words: readonly string[], stdin?: string): Promise<CommandResult> =>
      run([...OWN, `--mount-proc=${root}/proc`, "chroot", ...words], stdin === undefined ? {} : { stdin });
    const inside = (...argv: string[]): Promise<CommandResult> => enter([root, ...argv]);

    await t.step(
      "the packages are there, each of the version that is named, and the tools where flock looks for them",
      async () => {
        const pinned = [...textsOf(stage, "RUN").join(" ").matchAll(/"([a-z0-9]+)=([0-9:.]+)\*"/g)];
        assertEquals(pinned.map(([, name]) => name), ["bird2", "iproute2", "nftables", "procps"]);
        for (const [, name = "", version = ""] of pinned) {
          const { stdout } = await inside("dpkg-query", "--show", "--showformat", "${Version}", name);
          assert(stdout.startsWith(version), `${name} is ${stdout}`);
        }
        for (const tool of [[BIRD, "--version"], [IP, "-V"], [NFT, "--version"]]) {
          assertEquals((await inside(...tool)).code, 0, tool.join(" "));
        }
      },
    );
    await t.step("flock answers the user whom the image names, and knows its modes", async () => {
      const { User, Entrypoint, Labels } = configOf(stage);
      assertEquals([User, Entrypoint], ["65534:65534", ["/usr/local/bin/flock"]]);
      assertEquals(Labels["org.opencontainers.image.licenses"], "Apache-2.0");
      const flock = (...args: string[]): Promise<CommandResult> =>
        enter([`--userspec=${User}`, root, ...Entrypoint, ...args]);
      assertMatch((await flock("version")).stdout, /^flock \d/);
      for (const mode of ["agent", "install", "uninstall"]) {
        const { stdout, stderr } = await flock(mode, "--help");
        assertStringIncludes(stdout, `Usage: flock ${mode}`, stderr);
      }
    });
    await t.step("BIRD takes the bootstrap configuration and all that flock renders", async () => {
      const rendered = (await Array.fromAsync(Deno.readDir(`${CHECKOUT}src/bgp/testdata`))).map(({ name }) => name)
        .filter((name) => name.endsWith(".conf")).map((name) => `src/bgp/testdata/${name}`);
      for (const file of ["deploy/bird.conf", ...rendered]) {
        await Deno.copyFile(CHECKOUT + file, `${root}/tmp/bird.conf`);
        const { code, stderr } = await inside(BIRD, "-p", "-c", "/tmp/bird.conf");
        assertEquals([code, stderr], [0, ""], file);
      }
    });
    await t.step("nft takes the tables that flock renders", async () => {
      const text = await Deno.readTextFile(`${CHECKOUT}src/nft/testdata/full.nft`);
      const { code, stderr } = await enter([root, NFT, "-f", "-"], text);
      assertEquals([code, stderr], [0, ""]);
    });
    await t.step(
      "on a read-only root the installer needs no capability, the agent serves, uninstall leaves nothing",
      async () => {
        const { code, stdout, stderr } = await run([...OWN, "sh", "-ec", POD_SCRIPT, root]);
        const [installed, status = "", removed, ...left] = stdout.trim().split("\n");
        assertEquals([code, installed], [0, `${PLUGIN} is new`], stderr);
        assertEquals(JSON.parse(status).code, 50, stderr);
        assertMatch(removed ?? "", /^Nothing of flock is left/);
        assertEquals(left, []);
      },
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the build stage: what it copies is enough to bundle flock from", async () => {
  const [build] = parseDockerfile(await Deno.readTextFile(`${CHECKOUT}Dockerfile`));
  assert(build !== undefined);
  const version = /^denoland\/deno:debian-(.+)$/.exec(build.from)?.[1];
  assertEquals(version, Deno.version.deno, "tests and image are to be of one Deno");
  const ignored = (await Deno.readTextFile(`${CHECKOUT}.dockerignore`)).split("\n");
  const directory = await Deno.makeTempDir({ prefix: "flock-build-" });
  try {
    for (const text of textsOf(build, "COPY")) {
      const words = text.split(" ").filter((word) => !word.startsWith("--"));
      const target = words.pop() ?? "";
      for (const source of words) {
        assert(ignored.includes(`!${source}`), `.dockerignore keeps ${source} from Docker`);
        const to = target === "./" ? `${directory}/${source}` : `${directory}/${target}`;
        expectSuccess(["cp"], await run(["cp", "--recursive", CHECKOUT + source, to]));
      }
    }
    const compile = textsOf(build, "RUN").at(-1);
    assertEquals(compile, "deno task compile");
    const env = ["HOME", "DENO_DIR", "DENORT_BIN"].flatMap((name) =>
      Deno.env.has(name) ? [`${name}=${Deno.env.get(name)}`] : []
    );
    const script = `cd "$0" && "$1" task compile 2>&1`;
    const { code, stdout } = await run(["env", ...env, "sh", "-c", script, directory, Deno.execPath()]);
    // Where no denort can be downloaded, that is all that may be missing.
    if (code !== 0) assertMatch(stdout, /dl\.deno\.land\/release\/v[0-9.]+\/denort/);
    else assert((await Deno.stat(`${directory}/dist/flock`)).isFile);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
