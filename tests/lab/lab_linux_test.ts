import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { createSystemRunner } from "../../src/exec/system_runner.ts";
import { BIRD_CONFIG } from "../../src/paths/paths.ts";
import { listenForPods } from "./_ptp.ts";
import { createLab, type Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { capture, ping, sourceOf } from "./probes.ts";
import { CLIENT, ROUTER, ROUTER_ASN } from "./topology.ts";

const runner = createSystemRunner();

Deno.test("a lab comes up with both families and its MTU end to end", async () => {
  await using lab = await createLab({ api: "none" });
  const pings = lab.nodes.flatMap(({ spec }) => [spec.addresses[4], spec.addresses[6]]).map((address) =>
    ping(lab.client, address ?? "", { packetSize: 9000 })
  );
  assertEquals((await Promise.all(pings)).map((time) => time !== undefined), [true, true, true, true]);
  assertEquals(await ping(lab.client, ROUTER[4], { packetSize: 9001 }), undefined);
});

Deno.test("a node of one family has nothing of the other", async () => {
  await using lab = await createLab({ api: "none", nodes: [[4], [6]] });
  const [four, six] = lab.nodes;
  assert(four !== undefined && six !== undefined);
  assert(await ping(four, CLIENT[4]) !== undefined);
  assertEquals(await ping(four, CLIENT[6]), undefined);
  assert(await ping(six, CLIENT[6]) !== undefined);
  assertEquals(await ping(six, CLIENT[4]), undefined);
});

Deno.test("the router peers with any node and learns its prefixes", async () => {
  await using lab = await createLab({ api: "none", nodes: 1 });
  const node = lab.node("node-a");
  await node.write(BIRD_CONFIG, birdConfig(node));
  await node.startBird();
  await Promise.all([lab.router.waitForRoute(node.spec.cidr4), lab.router.waitForRoute(node.spec.cidr6)]);
  const paths = (await lab.router.bgpRoutes()).get(node.spec.cidr6);
  assertEquals(paths?.map(({ best, asPath }) => ({ best, asPath })), [{ best: true, asPath: "65101" }]);
  assertEquals(
    (await lab.router.neighbors()).map(({ state, asn }) => `${state} ${asn}`),
    Array(2).fill("Established 65101"),
  );
  await node.output(["birdc", "-s", "/run/flock/bird.ctl", "disable", "mine4"]);
  await lab.router.waitForNoRoute(node.spec.cidr4);
});

Deno.test("a sandbox of containerd gets an address from its plugin and answers", async () => {
  await using lab = await createLab({ nodes: 1 });
  const node = lab.node("node-a");
  await listenForPods(node);
  const pod = await node.runPod({ name: "first" });
  assert(await ping(node, pod.address(4)) !== undefined);
  await using packets = await capture(node, "icmp");
  await ping(pod, ROUTER[4]);
  assertEquals(sourceOf((await packets.packets(1))[0] ?? ""), pod.address(4));
  await pod.remove();
  assertEquals(await ping(node, pod.address(4), { timeoutMs: 200 }), undefined);
  assertEquals(await lab.api.get("/api/v1/namespaces/default/pods/first"), undefined);
});

Deno.test("exec in a place passes input, environment and exit code, and a time-out ends the process", async () => {
  await using lab = await createLab({ api: "none", nodes: 1 });
  const result = await lab.client.exec(["sh", "-c", 'cat; echo "$COLOUR"; exit 3'], {
    stdin: "in ",
    env: { COLOUR: "red" },
  });
  assertEquals(result, { code: 3, stdout: "in red\n", stderr: "" });
  await assertRejects(() => lab.client.exec(["sleep", "321"], { timeoutMs: 200 }), Error, "still running");
  assertEquals((await lab.client.output(["ps", "-e", "-o", "args"])).includes("sleep 321"), false);
  await assertRejects(() => lab.client.output(["false"]), Error, "exit code 1");
});

Deno.test("nothing of the machine changes while a lab is up, and nothing is left when it goes down", async () => {
  const before = await machineState();
  const lab = await createLab({ nodes: 2 });
  try {
    await Promise.all(lab.nodes.map(listenForPods));
    await lab.node("node-a").runPod({ name: "left-running" });
    await lab.node("node-a").output(["touch", "/etc/flock-was-here", "/var/lib/flock-was-here"]);
    assertEquals(await machineState(), before);
  } finally {
    await lab[Symbol.asyncDispose]();
  }
  assertEquals(await traces(lab.id), "");
  assertEquals(await machineState(), before);
});

for (const when of ["early", "late"] as const) {
  Deno.test(`a lab whose owner was killed ${when} is cleaned by the next one`, async () => {
    const pid = await runCrashingOwner(when);
    assert((await traces(pid)) !== "", "the killed owner left nothing: the test proves nothing");
    await using lab = await createLab({ api: "none", nodes: 0 });
    assertEquals(await traces(pid), "");
    assertStringIncludes(await traces(lab.id), lab.id);
  });
}

Deno.test("cgroups that are all that is left of a lab are removed by the next one", async () => {
  const id = `${Deno.pid}-1-${/\d+/.exec(await Deno.readLink("/proc/self/ns/pid"))}-left`; // started at another time than we
  const make = 'cd /sys/fs/cgroup && { [ -e cgroup.controllers ] || cd pids; } && mkdir -p "flock-lab-$0/node-a/pod"';
  assertEquals((await runner.run(["/bin/sh", "-c", make, id])).code, 0);
  assert((await traces(id)) !== "");
  await using _lab = await createLab({ api: "none", nodes: 0 });
  assertEquals(await traces(id), "");
});

Deno.test("two labs at once have the same addresses and never meet", async () => {
  await using first = await createLab({ api: "none", nodes: 1 });
  {
    await using second = await createLab({ api: "none", nodes: 1 });
    await using packets = await capture(second.node("node-a"), "icmp6 and ip6[40] == 128");
    await pingNode(first);
    await pingNode(second);
    await packets.packets(1);
    assertEquals((await packets.packets(1)).length, 1);
  }
  await pingNode(first);
});

Deno.test("a lab of the network alone is up in three seconds", async () => {
  const start = performance.now();
  await using lab = await createLab({ api: "none" });
  await Promise.all(lab.nodes.map((node) => node.startBird()));
  assertLess(performance.now() - start, 3000);
});

async function pingNode(lab: Lab): Promise<void> {
  assert(await ping(lab.client, lab.node("node-a").spec.addresses[6] ?? "") !== undefined);
}

/** What a lab makes inside its places, looked for outside; other tests may be changing the machine meanwhile. */
async function machineState(): Promise<string> {
  const script = `PATH=/usr/sbin:$PATH
    ip netns | grep ^cni-; ip -br link | grep -E '^(up0|br0|p-|veth|flock)'; nft list tables | grep -w flock
    find /etc /opt /var/lib /var/log /run -maxdepth 2 -not -path '/run/flock-lab*' -name '*flock*'; ls -d /opt/cni /etc/cni /var/lib/cni /var/log/pods /run/frr
    cut -d' ' -f2 /proc/mounts | grep -E 'flock|containerd|cni'`;
  return (await runner.run(["/bin/sh", "-c", script])).stdout;
}

/** @returns everything that carries the id of a lab (or the beginning of it): processes, mounts, cgroups, directories */
async function traces(id: string): Promise<string> {
  const script = 'grep -al "flock-la[b]-$0" /proc/[0-9]*/cmdline; grep -F "flock-lab/$0" /proc/mounts; ' +
    'find /sys/fs/cgroup -maxdepth 2 -name "flock-lab-$0*"; ls -d /run/flock-lab/$0* 2>/dev/null; true';
  return (await runner.run(["/bin/sh", "-c", script, id])).stdout;
}

/** @returns how the lab's id began: the killed process's pid */
async function runCrashingOwner(when: string): Promise<string> {
  const variables = ["HOME", "DENO_DIR"].flatMap((name) => Deno.env.has(name) ? [`${name}=${Deno.env.get(name)}`] : []);
  const program = new URL("_crashing_owner.ts", import.meta.url).pathname;
  const script = 'echo $$; exec "$@"';
  const deno = [Deno.execPath(), "run", "--quiet", "-A", program, when];
  const { code, stdout } = await runner.run(["/usr/bin/env", ...variables, "/bin/sh", "-c", script, "sh", ...deno], {
    timeoutMs: 60_000,
  });
  assertEquals(code, 128 + 9);
  return `${stdout.trim()}-`;
}

function birdConfig({ spec }: LabNode): string {
  const families = ([4, 6] as const).map((family) => `
protocol static mine${family} { ipv${family}; route ${family === 4 ? spec.cidr4 : spec.cidr6} blackhole; }
protocol bgp router${family} {
  local as ${spec.asn};
  neighbor ${ROUTER[family]} as ${ROUTER_ASN};
  connect delay time 1;
  ipv${family} { import none; export all; next hop self; };
}`);
  return `log stderr all;\nrouter id ${spec.addresses[4]};\nprotocol device {}${families.join("")}\n`;
}
